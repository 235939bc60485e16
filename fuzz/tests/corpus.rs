//! The committed inputs, replayed on any compiler.

use std::fs;
use std::path::Path;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
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
        target(&data);
    }
}

macro_rules! corpora {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), raft_fuzz::$name);
        })*

        /// A target whose corpus is not replayed here would rot.
        #[test]
        fn every_target_is_here() {
            let here = [$(concat!(stringify!($name), ".rs")),*];
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
            for entry in fs::read_dir(folder).expect("the targets") {
                let name = entry.expect("readable").file_name();
                let name = name.to_string_lossy();
                assert!(here.contains(&&*name), "{name}");
            }
        }
    };
}

corpora! {
    clock_values kv_resp quorum_sets raft_messages raft_restore raft_values raft_window
    session_table wire_decode
}
