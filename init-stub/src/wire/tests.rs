use super::*;

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Numbers without a pattern, the same in each run: xorshift.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }
}

/// Whatever decodes must encode to the bytes that it was decoded from. Zeros decode as empty texts and lists, so
/// that each operation is met.
#[test]
fn operations_survive_a_round_trip() {
    let mut known = 0;
    for code in 0..=u8::MAX {
        let mut bytes = [0; 256];
        bytes[0] = code;
        let mut reader = Reader(&bytes);
        let Ok(op) = Op::decode(&mut reader) else {
            continue;
        };
        known += 1;
        let used = bytes.len() - reader.0.len();
        let mut encoded = Vec::new();
        op.encode(&mut encoded);
        assert_eq!(encoded, bytes[..used], "{op:?}");
    }
    assert!(known == OPERATIONS, "{known} operations are known");
}

#[test]
fn texts_and_lists_survive_a_round_trip() {
    let argv: &[&[u8]] = &[b"sh", b"-c", b""];
    let op = Op::Exec {
        argv: List::Made(argv),
        envp: List::Made(&[b"A=b"]),
    };
    let mut bytes = Vec::new();
    op.encode(&mut bytes);
    let mut reader = Reader(&bytes);
    let Ok(Op::Exec { argv: read, envp }) = Op::decode(&mut reader) else {
        panic!("not decoded");
    };
    assert!(reader.0.is_empty());
    assert!(
        read.iter()
            .map(|text| text.bytes())
            .eq(argv.iter().copied())
    );
    assert_eq!(
        envp.iter().next().map(|text| text.with_nul()),
        Some(&b"A=b\0"[..])
    );
}

#[test]
fn a_cut_operation_is_malformed() {
    let mut bytes = Vec::new();
    Op::Hostname { name: "box".into() }.encode(&mut bytes);
    for length in 0..bytes.len() {
        assert!(
            Op::decode(&mut Reader(&bytes[..length])).is_err(),
            "{length}"
        );
    }
}

#[test]
fn any_bytes_are_decoded_or_malformed() {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for _ in 0..if cfg!(miri) { 1000 } else { 200_000 } {
        let mut bytes = [0; 64];
        for byte in &mut bytes {
            // Many zeros: lengths are often small then, and the decoder gets further.
            *byte = if noise.byte() < 160 { 0 } else { noise.byte() };
        }
        bytes[0] = noise.byte() % 128;
        let mut reader = Reader(&bytes);
        if let Ok(op) = Op::decode(&mut reader) {
            let mut encoded = Vec::new();
            op.encode(&mut encoded);
            assert_eq!(encoded, bytes[..bytes.len() - reader.0.len()]);
        }
    }
}
