//! The committed inputs, replayed on any compiler.

use std::fs;
use std::path::Path;

#[test]
fn raft_messages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/raft_messages");
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus is committed")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "an empty corpus proves nothing");
    for path in paths {
        let data = fs::read(&path).expect("readable");
        // The name of the input that fails is what one needs to replay it.
        println!("{}", path.display());
        raft_fuzz::raft_messages(&data);
    }
}
