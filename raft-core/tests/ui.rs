//! What must not compile: the promises that types make. Each file says in its first line what is tried.
//!
//! To write what the compiler says anew: `TRYBUILD=overwrite cargo test -p raft-core --test ui`.

#[test]
fn promises_cannot_be_forged_or_overtaken() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/ui/*.rs");
}
