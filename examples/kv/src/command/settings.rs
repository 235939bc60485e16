//! What `CONFIG GET` answers: the few settings of Redis that tools ask for, as they are here for good.

use crate::resp::decode::Args;
use crate::resp::encode::Encoder;

/// `redis-benchmark` prints how durable a server is, going by `save` and `appendonly`.
const SETTINGS: [(&str, &str); 5] = [
    ("appendfsync", "always"),
    ("appendonly", "yes"),
    ("cluster-enabled", "yes"),
    ("databases", "1"),
    ("save", ""),
];

/// Answers with the settings that are named, or with all for `*`.
pub fn answer(names: Args<'_>, encoder: &mut Encoder<'_>) {
    let is_named = |setting: &&(&str, &str)| {
        let matches = |name: &[u8]| name == b"*" || name.eq_ignore_ascii_case(setting.0.as_bytes());
        names.iter().any(matches)
    };
    let found = SETTINGS.iter().filter(is_named);
    encoder.map(found.clone().count());
    for (name, value) in found {
        encoder.bulk(name.as_bytes());
        encoder.bulk(value.as_bytes());
    }
}
