//! CPU shares of v1 as a weight of v2.

/// Bits of fractions.
const FINE: u32 = 40;
const FINER: u32 = 62;
/// log2(10), in units of 2^-40.
const LOG2_10: u128 = 3_652_498_566_964;
/// ln(2), in units of 2^-62.
const LN_2: u64 = 3_196_577_161_300_663_915;

/// Shares (2 to 262144, 1024 the default) as a weight (1 to 10000, 100 the default), as the runtimes agreed on in 2025: a
/// quadratic function of the logarithm that meets all three points,
/// `ceil(10^((log2(shares)² + 125 log2(shares)) / 612 - 7/34))`; without floating point, whose functions are large.
pub fn weight(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    let mut log = u64::from(shares.ilog2());
    let mut rest = shares << (FINER - shares.ilog2());
    for _ in 0..FINE {
        rest = multiply(rest, rest);
        let bit = rest >> (FINER + 1);
        log = log << 1 | bit;
        rest >>= bit;
    }
    let square = ((u128::from(log) * u128::from(log)) >> FINE) as u64;
    let exponent = (square + 125 * log) / 612 - (7 << FINE) / 34;
    // 10 to its power is 2 to this one: a shift for the whole part, and the series of e^x for the fraction.
    let exponent = ((u128::from(exponent) * LOG2_10) >> FINE) as u64;
    let fraction = exponent & ((1 << FINE) - 1);
    let x = multiply(fraction << (FINER - FINE), LN_2);
    let (mut sum, mut term) = (1 << FINER, 1 << FINER);
    for i in 1..=20 {
        term = multiply(term, x) / i;
        sum += term;
    }
    let point = FINER - (exponent >> FINE) as u32;
    // What is above a whole number by no more than the error is that number.
    const ERROR: u64 = 1 << 26;
    (sum - ERROR + (1 << point) - 1) >> point
}

fn multiply(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> FINER) as u64
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn every_weight_is_the_formulas() {
        assert_eq!(
            [0, 1, 2, 1024, 262_144, u64::MAX].map(weight),
            [1, 1, 1, 100, 10_000, 10_000]
        );
        for shares in 3..262_144 {
            let log = (shares as f64).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            let wanted = 10f64.powf(exponent).ceil() as u64;
            assert_eq!(weight(shares), wanted, "{shares}");
        }
    }
}
