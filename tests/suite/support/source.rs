//! Reads the project's own sources: code without comments, strings and tests, and the paths in it.

use std::path::{Path, PathBuf};

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A source file.
#[derive(Debug)]
pub struct Source {
    /// Path from the project's folder, with `/`.
    pub name: String,
    /// As it stands.
    pub text: String,
}

/// All files below a folder of the project with this extension, by name.
pub fn files(folder: &str, extension: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|e| e == extension));
    paths.sort();
    paths
        .into_iter()
        .map(|path| Source {
            name: path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(),
            text: std::fs::read_to_string(&path).unwrap(),
        })
        .collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() && entry.file_name() != "node_modules" => collect(&path, into),
            kind if kind.is_file() => into.push(path),
            _ => {}
        }
    }
}

/// The code with comments and the insides of strings blanked out; lines stay where they are.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    let blank = |out: &mut [u8], from: usize, to: usize| {
        for byte in &mut out[from..to.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    let find = |from: usize, needle: &str| {
        text.as_bytes()[from.min(bytes.len())..]
            .windows(needle.len())
            .position(|window| window == needle.as_bytes())
            .map_or(bytes.len(), |found| from + found)
    };
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            find(at, "\n")
        } else if rest.starts_with(b"/*") {
            find(at + 2, "*/") + 2
        } else if rest.starts_with(b"r\"") || rest.starts_with(b"r#") {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') || at.checked_sub(1).is_some_and(|i| is_word(bytes[i])) {
                at += 1;
                continue;
            }
            find(at + 2 + hashes, &format!("\"{}", "#".repeat(hashes))) + 1 + hashes
        } else if rest[0] == b'"' {
            let mut end = at + 1;
            while end < bytes.len() && bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            end + 1
        } else if rest.starts_with(b"'\"'") || rest.starts_with(b"'\\") {
            find(at + 2, "'") + 1
        } else {
            at += 1;
            continue;
        };
        blank(&mut out, at, end);
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// [`code`] without what follows the first `#[cfg(test)]` that opens a module.
pub fn code_without_tests(text: &str) -> String {
    let code = code(text);
    let end = code.match_indices("#[cfg(test)]").find(|(at, marker)| {
        let rest = code[at + marker.len()..].trim_start();
        rest.starts_with("mod ") && !rest.lines().next().is_some_and(|line| line.trim_end().ends_with(';'))
    });
    match end {
        Some((at, _)) => code[..at].to_owned(),
        None => code,
    }
}

/// Is the whole file tests, as a module's `tests.rs` is and what stands in its folder?
pub fn is_tests(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

/// The line (from 1) on which a byte stands.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// What is named directly after `head::` in some code, with the byte where: both names of
/// `use head::{one::x, other}`, and `one` of `head::one::f()`.
pub fn named_after<'a>(code: &'a str, head: &str) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (at, matched) in code.match_indices(&format!("{head}::")) {
        if code[..at].bytes().next_back().is_some_and(|byte| is_word(byte) || byte == b':') {
            continue;
        }
        let mut from = at + matched.len();
        let mut depth = 0;
        loop {
            from += code[from..].len() - code[from..].trim_start().len();
            let word = code[from..].bytes().take_while(|byte| is_word(*byte)).count();
            if word > 0 {
                found.push((from, &code[from..from + word]));
            } else if code[from..].starts_with('{') {
                depth += 1;
                from += 1;
                continue;
            }
            if depth == 0 {
                break;
            }
            // On to the next name of the outermost braces.
            let mut inner = 0;
            let next = code[from..].char_indices().find(|(_, c)| {
                match c {
                    '{' => inner += 1,
                    '}' if inner > 0 => inner -= 1,
                    '}' => return true,
                    ',' if inner == 0 => return true,
                    _ => {}
                }
                false
            });
            match next {
                Some((step, ',')) => from += step + 1,
                _ => break,
            }
            if code[from..].trim_start().starts_with('}') {
                break;
            }
        }
    }
    found
}

/// Is this byte part of an identifier?
pub fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}
