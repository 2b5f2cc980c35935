//! `--regex`: the containers whose ids an extended regular expression matches, regex(7).
//!
//! Backtracking over the pattern itself: ids are short, and whoever writes the pattern waits for it.

use super::Global;
use super::parse::Matches;
use crate::error::{Error, Result};
use crate::log;

/// Does `deed` to the container that is named, or with `--regex` to each whose id matches; a failure does not keep it
/// from the others. Returns the exit status.
pub fn each(global: &Global, matches: &Matches, deed: impl Fn(&str) -> Result<()>) -> Result<u8> {
    let name = matches.argument(0)?;
    if !matches.flag("regex") {
        return deed(name).map(|()| 0);
    }
    let pattern = name.as_bytes();
    check(pattern).map_err(|what| {
        Error::new(format!(
            "--regex: invalid regular expression {name:?}: {what}"
        ))
    })?;
    let mut status = 0;
    for id in global.store.ids(global.root_given)? {
        if !finds(pattern, id.as_bytes()) {
            continue;
        }
        if let Err(error) = deed(&id) {
            log::error(&error.wrap(id).to_string());
            status = 1;
        }
    }
    Ok(status)
}

/// The longest pattern, in bytes.
const LONGEST: usize = 1024;

/// Whether any part of the text matches.
fn finds(pattern: &[u8], text: &[u8]) -> bool {
    (0..=text.len()).any(|at| any(pattern, text, at, &mut |_| true))
}

/// What is tried once a part of the pattern matches up to there.
type Rest<'a> = &'a mut dyn FnMut(usize) -> bool;

/// Matches any of the alternatives at that place.
fn any(pattern: &[u8], text: &[u8], at: usize, rest: Rest<'_>) -> bool {
    let mut pattern = pattern;
    loop {
        let end = alternative(pattern);
        if sequence(&pattern[..end], text, at, rest) {
            return true;
        }
        if end == pattern.len() {
            return false;
        }
        pattern = &pattern[end + 1..];
    }
}

/// The length of the first alternative.
fn alternative(pattern: &[u8]) -> usize {
    let mut end = 0;
    while end < pattern.len() && pattern[end] != b'|' {
        end += atom(&pattern[end..]);
    }
    end
}

fn sequence(pattern: &[u8], text: &[u8], at: usize, rest: Rest<'_>) -> bool {
    if pattern.is_empty() {
        return rest(at);
    }
    let (one, more) = pattern.split_at(atom(pattern));
    let (least, most, skipped) = quantifier(more);
    repeat(one, &more[skipped..], (least, most), text, at, rest)
}

/// Matches the atom that often, greedily, and then what follows.
fn repeat(
    one: &[u8],
    more: &[u8],
    (least, most): (u32, u32),
    text: &[u8],
    at: usize,
    rest: Rest<'_>,
) -> bool {
    let count = (least.saturating_sub(1), most.saturating_sub(1));
    let again = &mut |end| match (end > at, least > 0) {
        (true, _) => repeat(one, more, count, text, end, &mut *rest),
        // An empty match counts for as many as are still to come.
        (false, true) => sequence(more, text, end, &mut *rest),
        (false, false) => false,
    };
    most > 0 && single(one, text, at, again) || least == 0 && sequence(more, text, at, rest)
}

fn single(one: &[u8], text: &[u8], at: usize, rest: Rest<'_>) -> bool {
    let byte = text.get(at).copied();
    let fits = match one {
        [b'^'] => return at == 0 && rest(at),
        [b'$'] => return byte.is_none() && rest(at),
        [b'(', inner @ .., b')'] => return any(inner, text, at, rest),
        [b'['] | [] => false,
        [b'[', set @ .., b']'] => byte.is_some_and(|byte| in_set(set, byte)),
        [b'.'] => byte.is_some(),
        [b'\\', literal] => byte == Some(*literal),
        [literal, ..] => byte == Some(*literal),
    };
    fits && rest(at + 1)
}

/// Whether a byte is of a bracket expression.
fn in_set(set: &[u8], byte: u8) -> bool {
    let (negated, mut set) = match set {
        [b'^', set @ ..] => (true, set),
        set => (false, set),
    };
    let mut found = false;
    while let [first, after @ ..] = set {
        let (fits, after) = match (class(set), after) {
            (Some(name), _) => (of_class(name, byte), &set[name.len() + 4..]),
            (None, [b'-', last, after @ ..]) => ((*first..=*last).contains(&byte), after),
            _ => (*first == byte, after),
        };
        found |= fits;
        set = after;
    }
    found != negated
}

/// The name of the class that a part of a bracket expression begins with: `[:alpha:]`.
fn class(set: &[u8]) -> Option<&[u8]> {
    let name = set.strip_prefix(b"[:")?;
    let end = name.windows(2).position(|two| two == b":]")?;
    Some(&name[..end])
}

fn of_class(name: &[u8], byte: u8) -> bool {
    match name {
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"upper" => byte.is_ascii_uppercase(),
        b"lower" => byte.is_ascii_lowercase(),
        b"punct" => byte.is_ascii_punctuation(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => false,
    }
}

/// The length of the atom that the pattern, which is not empty, begins with.
fn atom(pattern: &[u8]) -> usize {
    match pattern {
        [b'\\', _, ..] => 2,
        [b'(', ..] => {
            let mut end = 1;
            while end < pattern.len() && pattern[end] != b')' {
                end += atom(&pattern[end..]);
            }
            (end + 1).min(pattern.len())
        }
        [b'[', set @ ..] => {
            // A bracket that comes first stands for itself, and one may close a class.
            let mut end = 1 + usize::from(set.starts_with(b"^"));
            end += usize::from(pattern.get(end) == Some(&b']'));
            while end < pattern.len() && pattern[end] != b']' {
                end += class(&pattern[end..]).map_or(1, |name| name.len() + 4);
            }
            (end + 1).min(pattern.len())
        }
        _ => 1,
    }
}

/// The least and the most times that the atom before is to be there, and the length of what says so.
fn quantifier(pattern: &[u8]) -> (u32, u32, usize) {
    match pattern {
        [b'*', ..] => (0, u32::MAX, 1),
        [b'+', ..] => (1, u32::MAX, 1),
        [b'?', ..] => (0, 1, 1),
        [b'{', ..] => interval(pattern).unwrap_or((1, 1, 0)),
        _ => (1, 1, 0),
    }
}

/// `{3}`, `{3,}` or `{3,5}`.
fn interval(pattern: &[u8]) -> Option<(u32, u32, usize)> {
    let end = pattern.iter().position(|byte| *byte == b'}')?;
    let inner = std::str::from_utf8(&pattern[1..end]).ok()?;
    let (least, most) = inner.split_once(',').unwrap_or((inner, inner));
    let least: u32 = least.parse().ok()?;
    let most = match most {
        "" => u32::MAX,
        most => most.parse().ok()?,
    };
    (least <= most).then_some((least, most, end + 1))
}

/// What is wrong with the pattern.
fn check(pattern: &[u8]) -> std::result::Result<(), &'static str> {
    // All that follows goes as deep as the pattern's parentheses.
    match pattern.len() {
        0..=LONGEST => check_part(pattern),
        _ => Err("too long"),
    }
}

fn check_part(pattern: &[u8]) -> std::result::Result<(), &'static str> {
    let mut pattern = pattern;
    let mut quantified = true;
    while let [first, ..] = pattern {
        let (one, more) = pattern.split_at(atom(pattern));
        match (first, one) {
            (b'*' | b'+' | b'?', _) if quantified => return Err("nothing to repeat"),
            (b'{', _) if quantified || interval(pattern).is_none() => return Err("bad interval"),
            (b')', _) => return Err("unmatched )"),
            (b'(', [_, inner @ .., b')']) => check_part(inner)?,
            (b'(', _) => return Err("unmatched ("),
            (b'[', [.., b']']) if one.len() > 2 => {}
            (b'[', _) => return Err("unmatched ["),
            (b'\\', [_]) => return Err("ends with a backslash"),
            _ => {}
        }
        let (.., skipped) = match *first {
            b'*' | b'+' | b'?' | b'{' => quantifier(pattern),
            _ => (0, 0, 0),
        };
        quantified = skipped > 0 || *first == b'|';
        pattern = if skipped > 0 {
            &pattern[skipped..]
        } else {
            more
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check, finds};
    use crate::program::wire::any::with_seeds;

    #[test]
    fn no_pattern_goes_too_deep() {
        assert!(finds(b"^(){4294967295}a$", b"a"));
        assert!(finds(b"^((a?){4294967295}){4294967295}$", b"a"));
        assert!(!finds(b"^a{4294967295}$", b"a"));
        let deep = ["(".repeat(500), "a".into(), ")".repeat(500)].concat();
        assert_eq!(check(deep.as_bytes()), Ok(()));
        assert!(finds(deep.as_bytes(), b"a"));
        let deeper = ["(".repeat(100_000), ")".repeat(100_000)].concat();
        assert_eq!(check(deeper.as_bytes()), Err("too long"));
    }

    #[test]
    fn patterns_match_as_extended_regular_expressions_do() {
        let yes = [
            ("", "a"),
            ("b", "abc"),
            ("^abc$", "abc"),
            ("a.c", "abc"),
            ("^a*$", ""),
            ("^(ab)+c?$", "ababc"),
            ("^web-[0-9]{2,3}$", "web-123"),
            ("^(web|db)[-_]x$", "db_x"),
            ("^[^a-c]+$", "xyz"),
            ("^[[:digit:]x]+$", "1x2"),
            ("^[]-]+$", "-]-"),
            ("a\\.b", "a.b"),
            ("^(a*)*b$", "aab"),
            ("^(|a)$", "a"),
            ("^a{2}$", "aa"),
        ];
        for (pattern, text) in yes {
            assert_eq!(check(pattern.as_bytes()), Ok(()), "{pattern}");
            assert!(
                finds(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
        let no = [
            ("^b", "ab"),
            ("a\\.b", "axb"),
            ("^a{2}$", "aaa"),
            ("^[^a-c]+$", "xya"),
            ("^(web|db)$", "webdb"),
            ("a+b", "b"),
            ("^(a*)*$", "aab"),
        ];
        for (pattern, text) in no {
            assert!(
                !finds(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn any_pattern_is_refused_or_tried() {
        const WORDS: &[&[u8]] = &[
            b"(",
            b")",
            b"|",
            b"*",
            b"+",
            b"?",
            b"{2,3}",
            b"{0}",
            b"{",
            b"}",
            b"[a-c]",
            b"[^",
            b"]",
            b"[[:digit:]]",
            b"^",
            b"$",
            b".",
            b"\\",
            b"a",
            b"b",
            b"(a|b)*",
            b"{4294967295}",
        ];
        with_seeds(|random| {
            let mut words = |most| {
                let count = random.below(most);
                (0..count)
                    .flat_map(|_| random.pick(WORDS))
                    .copied()
                    .collect()
            };
            // A pattern with choices within choices takes its time for each byte more.
            let (mut pattern, text): (Vec<u8>, Vec<u8>) = (words(12), words(4));
            if random.once_in(3) {
                random.damage(&mut pattern, WORDS);
            }
            if check(&pattern).is_ok() {
                finds(&pattern, &text);
            }
        });
    }

    #[test]
    fn mistakes_in_a_pattern_are_named() {
        for pattern in [
            "(", ")", "a(b", "[a", "[]", "*", "a**", "a|*", "a{", "a{2,1}", "\\",
        ] {
            assert!(check(pattern.as_bytes()).is_err(), "{pattern}");
        }
    }
}
