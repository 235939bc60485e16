//! Rust source seen roughly: enough to tell code from comments, literals and tests.

/// The same text with comments and the contents of literals blanked, line by line.
pub(crate) fn without_text(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let after_name = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let text = text_length(rest, after_name);
        if text == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(
                rest[..text]
                    .chars()
                    .map(|c| if c == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[text..];
        }
    }
    code
}

/// The length of the comment or literal that the source starts with; 0 if it starts with code.
fn text_length(source: &str, after_name: bool) -> usize {
    if source.starts_with("//") {
        return source.find('\n').unwrap_or(source.len());
    }
    if source.starts_with("/*") {
        return block_comment_length(source);
    }
    if source.starts_with('"') {
        return quoted_length(source, '"');
    }
    if source.starts_with('\'') {
        return char_length(source);
    }
    let raw = source
        .strip_prefix("br")
        .or_else(|| source.strip_prefix('r'));
    match raw {
        Some(raw) if !after_name => raw_string_length(source, raw),
        _ => 0,
    }
}

fn block_comment_length(source: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < source.len() {
        let rest = &source.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    source.len()
}

fn quoted_length(source: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in source.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    source.len()
}

/// `'a'` and `'\n'` are literals, `'a` is a lifetime.
fn char_length(source: &str) -> usize {
    let mut chars = source.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => quoted_length(source, '\''),
        (_, Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// `raw` is what follows the `r`; without hashes and a quote it is an ordinary name.
fn raw_string_length(source: &str, raw: &str) -> usize {
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let Some(body) = raw[hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    let start = source.len() - body.len();
    body.find(&end)
        .map_or(source.len(), |at| start + at + end.len())
}

const TEST_ATTRIBUTES: [&str; 2] = ["#[cfg(test)]", "#[cfg(all(test,"];

/// The same code with items behind `#[cfg(test)]` blanked, line by line. Comments and literals must be gone.
pub(crate) fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = TEST_ATTRIBUTES
        .iter()
        .filter_map(|attribute| rest.find(attribute))
        .min()
    {
        let end = at + item_length(&rest[at..]);
        kept.push_str(&rest[..at]);
        kept.extend(
            rest[at..end]
                .chars()
                .map(|c| if c == '\n' { '\n' } else { ' ' }),
        );
        rest = &rest[end..];
    }
    kept + rest
}

/// The length of an item: up to its semicolon, or to the end of its first braces.
fn item_length(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The names of modules that exist for tests only and live in files of their own.
pub(crate) fn test_modules(source: &str) -> Vec<&str> {
    let mut modules = Vec::new();
    for attribute in TEST_ATTRIBUTES {
        for (at, _) in source.match_indices(attribute) {
            let item = &source[at..];
            let item = &item[item.find(']').map_or(item.len(), |end| end + 1)..];
            let words = item
                .trim_start()
                .trim_start_matches("pub(crate) ")
                .strip_prefix("mod ");
            if let Some((name, _)) = words.and_then(|words| words.split_once(';'))
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
            {
                modules.push(name);
            }
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(source: &str) -> String {
        without_text(source)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn comments_are_blanked() {
        assert_eq!(code_of("a // b\nc /* d /* e */ f */ g /* h"), "a c g");
    }

    #[test]
    fn strings_are_blanked() {
        assert_eq!(code_of(r#"a "b \" // c" d b"e" f"#), "a d b f");
        assert_eq!(
            code_of("a r\"b\\\" c r#\"d \" e\"# f br##\"g\"# h\"## i"),
            "a c f i"
        );
        assert_eq!(code_of("for\"a\" r#type"), "for r#type");
    }

    #[test]
    fn chars_are_blanked_and_lifetimes_are_not() {
        assert_eq!(
            code_of(r"a '{' '\'' '\u{1F}' 'é' &'b str &'static c"),
            "a &'b str &'static c"
        );
    }

    #[test]
    fn lines_stay_where_they_are() {
        let source = "a\n/* b\n c */ d\n\"e\nf\"\n#[cfg(test)]\nmod g {\n}\nh\n";
        let code = without_tests(&without_text(source));
        assert_eq!(
            code.lines().map(str::trim).collect::<Vec<_>>(),
            ["a", "", "d", "", "", "", "", "", "h"]
        );
    }

    #[test]
    fn test_items_end_with_their_braces_or_semicolon() {
        let code =
            "#[cfg(test)] use a::{b}; c #[cfg(all(test, x))] fn d() { { } } e #[cfg(not(test))] f";
        let kept = without_tests(code)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(kept, "; c e #[cfg(not(test))] f");
    }

    #[test]
    fn test_modules_in_files_are_named() {
        let source = "#[cfg(test)]\nmod a;\n#[cfg(test)]\nmod b {}\nmod c;\n#[cfg(all(test, not(loom)))]\nmod d;\n";
        assert_eq!(test_modules(source), ["a", "d"]);
    }
}
