use super::*;
use proptest::prelude::*;

const SMALL: Limits = Limits {
    args_max: 3,
    bulk_len_max: 8,
    request_len_max: 40,
};

fn words(args: Args<'_>) -> Vec<Vec<u8>> {
    args.iter().map(<[u8]>::to_vec).collect()
}

/// All requests in `bytes` when they arrive in pieces that end at `cuts`.
fn decode_all(
    bytes: &[u8],
    cuts: &[usize],
    limits: Limits,
) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
    let mut decoder = Decoder::new(limits);
    let mut requests = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        while let Some(request) = decoder.decode(&bytes[start..end])? {
            requests.push(words(request.args));
            start += request.consumed;
        }
    }
    Ok(requests)
}

fn one(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
    decode_all(bytes, &[], Limits::TRUSTED).map(|mut all| all.remove(0))
}

#[test]
fn requests_split_at_every_byte_come_out_whole() {
    let bytes = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\nPING \"x y\"\r\n*0\r\n*-1\r\n\r\n*1\r\n$0\r\n\r\n";
    let expected = decode_all(bytes, &[], Limits::TRUSTED).unwrap();
    assert_eq!(expected.len(), 6);
    assert_eq!(expected[0], [&b"SET"[..], b"k", b"a\r\nb"]);
    assert_eq!(expected[1], [&b"PING"[..], b"x y"]);
    assert!(expected[2].is_empty() && expected[3].is_empty() && expected[4].is_empty());
    assert_eq!(expected[5], [b""]);
    for cut in 0..=bytes.len() {
        assert_eq!(
            decode_all(bytes, &[cut], Limits::TRUSTED).unwrap(),
            expected,
            "cut at {cut}"
        );
    }
    let every: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(
        decode_all(bytes, &every, Limits::TRUSTED).unwrap(),
        expected
    );
}

#[test]
fn lengths_over_the_limit_are_refused_before_their_bytes_arrive() {
    let fails = |bytes: &[u8]| decode_all(bytes, &[], SMALL).unwrap_err();
    assert_eq!(fails(b"*4\r\n"), ProtocolError::ArgumentCount);
    assert_eq!(
        fails(b"*99999999999999999999"),
        ProtocolError::ArgumentCount
    );
    assert_eq!(fails(b"*1\r\n$9\r\n"), ProtocolError::BulkLength);
    assert_eq!(fails(b"*1\r\n$536870912\r\n"), ProtocolError::BulkLength);
    assert_eq!(fails(b"*1\r\n$-1\r\n"), ProtocolError::BulkLength);
    let two = b"*3\r\n$8\r\n12345678\r\n$8\r\n12345678\r\n";
    assert_eq!(decode_all(two, &[], SMALL), Ok(vec![]));
    assert_eq!(
        fails(&[&two[..], b"$8\r\n"].concat()),
        ProtocolError::RequestLength
    );
}

#[test]
fn lengths_at_the_limit_are_taken() {
    let bytes = b"*3\r\n$8\r\n12345678\r\n$2\r\nab\r\n$2\r\ncd\r\n";
    assert_eq!(bytes.len(), 34);
    assert_eq!(decode_all(bytes, &[], SMALL).unwrap()[0].len(), 3);
}

#[test]
fn malformed_requests_are_refused() {
    assert_eq!(one(b"*x\r\n"), Err(ProtocolError::ArgumentCount));
    assert_eq!(one(b"*\r\n"), Err(ProtocolError::ArgumentCount));
    assert_eq!(one(b"*-\r\n"), Err(ProtocolError::ArgumentCount));
    assert_eq!(one(b"*1\rx"), Err(ProtocolError::ArgumentCount));
    assert_eq!(one(b"*1\r\n:1\r\n"), Err(ProtocolError::NotABulk(b':')));
    assert_eq!(one(b"*1\r\n$1x\r\n"), Err(ProtocolError::BulkLength));
    assert_eq!(one(b"*1\r\n$1\r\nabc"), Err(ProtocolError::LineEnd));
    let text = ProtocolError::NotABulk(b'\n').to_string();
    assert_eq!(text, "Protocol error: expected '$', got '\\n'");
}

#[test]
fn inline_words_are_unquoted_as_redis_does() {
    assert_eq!(one(b"set  k v\n").unwrap(), [&b"set"[..], b"k", b"v"]);
    assert_eq!(
        one(b"a \"\\x00\\xfF\\n\\\"\" ''\r\n").unwrap(),
        [&b"a"[..], b"\x00\xff\n\"", b""]
    );
    assert_eq!(one(b"a 'it\\'s'\r\n").unwrap(), [&b"a"[..], b"it's"]);
    assert_eq!(one(b"a \"b\r\n"), Err(ProtocolError::Quotes));
    assert_eq!(one(b"a 'b'c\r\n"), Err(ProtocolError::Quotes));
    assert_eq!(
        decode_all(b"a b c d\n", &[], SMALL),
        Err(ProtocolError::ArgumentCount)
    );
}

#[test]
fn endless_line_is_refused() {
    let bytes = vec![b'x'; INLINE_LEN_MAX + 1];
    let mut decoder = Decoder::new(Limits::TRUSTED);
    assert_eq!(decoder.decode(&bytes[..INLINE_LEN_MAX]), Ok(None));
    assert_eq!(decoder.decode(&bytes), Err(ProtocolError::InlineLength));
}

#[test]
fn memory_follows_what_arrived_and_not_what_was_announced() {
    let mut decoder = Decoder::new(Limits::TRUSTED);
    assert_eq!(decoder.decode(b"*16384\r\n$1048576\r\nx"), Ok(None));
    assert_eq!(decoder.spans.capacity(), 0);
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_never_panic(
        bytes in proptest::collection::vec(prop_oneof![
            Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'"'), Just(b'\\'),
            b'0'..=b'9', any::<u8>(),
        ], 0..200),
        cut in 0usize..200,
    ) {
        let whole = decode_all(&bytes, &[], SMALL);
        let pieces = decode_all(&bytes, &[cut.min(bytes.len())], SMALL);
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn what_was_encoded_comes_back(
        requests in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..5), 0..5),
        cut in 0usize..300,
    ) {
        let mut bytes = Vec::new();
        for request in &requests {
            crate::resp::encode::request(&mut bytes, request.iter().map(Vec::as_slice));
        }
        let decoded = decode_all(&bytes, &[cut.min(bytes.len())], Limits::TRUSTED);
        prop_assert_eq!(decoded.unwrap(), requests);
    }
}
