//! The bytes that clients send to `examples/kv`: whole or in pieces, they mean the same.
//!
//! The server itself stands on tokio and a database, which have no place under a sanitizer; its reader of requests
//! stands on nothing, so that its files are part of this crate.

use crate::bytes::Bytes;

use crate::resp::decode::{Decoder, INLINE_LEN_MAX, Limits, ProtocolError};
use crate::resp::reply;

const LIMITS: Limits = Limits {
    args_max: 24,
    bulk_len_max: 300,
    request_len_max: 900,
};

/// What a client's bytes say: the requests, and the error that ends them.
#[derive(PartialEq, Debug, Default)]
struct Said {
    requests: Vec<Vec<Vec<u8>>>,
    error: Option<ProtocolError>,
}

/// Reads `data` as a client's bytes: the first bytes say how they arrive.
///
/// # Panics
///
/// When the pieces mean something else than the whole, or need more memory than the limits allow.
pub fn kv_resp(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let sizes = [bytes.u8(), bytes.u8(), bytes.u8()];
    let stream = data.get(3..).unwrap_or_default();
    let whole = read(stream, &[]);
    let pieces = read(stream, &sizes);
    assert_eq!(whole, pieces, "pieces of {sizes:?}");
    // What was understood can be said in the other form, and means the same.
    let mut again = Vec::new();
    for request in &whole.requests {
        again.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
        for word in request {
            again.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            again.extend_from_slice(word);
            again.extend_from_slice(b"\r\n");
        }
    }
    // A line of words may be longer than a request of byte strings, and have more of them.
    let fits = |request: &Vec<Vec<u8>>| {
        let bytes: usize = request.iter().map(|word| word.len() + 16).sum();
        request.len() <= LIMITS.args_max
            && request.iter().all(|word| word.len() <= LIMITS.bulk_len_max)
            && bytes + 16 <= LIMITS.request_len_max
    };
    if whole.requests.iter().all(fits) {
        let said = read(&again, &[]);
        assert_eq!(said.requests, whole.requests);
        assert_eq!(said.error, None);
    }
    replies(stream);
}

/// Reads a stream that arrives in pieces of these sizes, over and over; at once if there are none.
fn read(stream: &[u8], sizes: &[u8]) -> Said {
    let mut decoder = Decoder::new(LIMITS);
    let (mut said, mut buffer, mut rest) = (Said::default(), Vec::new(), stream);
    let mut turn = 0;
    while !rest.is_empty() {
        let size = match sizes {
            [] => rest.len(),
            sizes => (usize::from(sizes[turn % sizes.len()]) + 1).min(rest.len()),
        };
        turn += 1;
        buffer.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        loop {
            let consumed = match decoder.decode(&buffer) {
                Ok(Some(request)) => {
                    assert!(request.consumed <= buffer.len() && request.consumed > 0);
                    let words = request.args.iter().map(<[u8]>::to_vec).collect();
                    said.requests.push(words);
                    request.consumed
                }
                Ok(None) => break,
                Err(error) => {
                    said.error = Some(error);
                    return said;
                }
            };
            buffer.drain(..consumed);
        }
        // What is incomplete is never more than one request, of whichever form.
        let most = match buffer.first() {
            Some(b'*') => LIMITS.request_len_max,
            _ => INLINE_LEN_MAX + 2,
        };
        assert!(buffer.len() <= most, "{} bytes are held", buffer.len());
    }
    said
}

/// A client reads replies: what is whole stays what it is when more arrives.
fn replies(stream: &[u8]) {
    let whole = reply::parse(stream);
    if let Ok(Some((_, len))) = &whole {
        assert!(*len <= stream.len() && *len > 0);
        for cut in 0..*len {
            assert_eq!(reply::parse(&stream[..cut]), Ok(None), "{cut} of {len}");
        }
        assert_eq!(reply::parse(&stream[..*len]), whole);
    }
}
