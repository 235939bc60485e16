//! The files of `examples/kv` that read requests and replies, as they stand there.

#[path = "../../examples/kv/src/resp/args.rs"]
pub mod args;
#[path = "../../examples/kv/src/resp/decode.rs"]
pub mod decode;
#[path = "../../examples/kv/src/resp/reply.rs"]
pub mod reply;
