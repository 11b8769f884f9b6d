//! The paths that a Rust file names and the names that it gives, read from its tokens.

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    /// `::`
    Path,
    Sign(char),
}

/// The tokens of a file with their lines; comments, strings and characters are left out.
fn tokens(text: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut out, mut i, mut line) = (vec![], 0, 1);
    while i < chars.len() {
        let c = chars[i];
        let begin = i;
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if c == '"' {
            i = string_end(&chars, i);
        } else if c == '\'' {
            i = match at(i + 1) {
                '\\' => (i + 3..chars.len()).find(|k| at(*k) == '\'').map_or(chars.len(), |k| k + 1),
                _ if at(i + 2) == '\'' => i + 3,
                _ => i + 1,
            };
        } else if c.is_alphabetic() || c == '_' {
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            let word: String = chars[begin..i].iter().collect();
            match (word.as_str(), at(i)) {
                ("r" | "br" | "cr", '"' | '#') if raw_quote(&chars, i) => i = raw_end(&chars, i),
                ("b" | "c", '"') => i = string_end(&chars, i),
                ("r", '#') => i += 1,
                _ => out.push((Token::Word(word), line)),
            }
        } else if c == ':' && at(i + 1) == ':' {
            out.push((Token::Path, line));
            i += 2;
        } else {
            if !c.is_whitespace() {
                out.push((Token::Sign(c), line));
            }
            i += 1;
        }
        line += chars[begin..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    out
}

fn string_end(chars: &[char], open: usize) -> usize {
    let mut i = open + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn raw_quote(chars: &[char], i: usize) -> bool {
    chars[i..].iter().find(|c| **c != '#') == Some(&'"')
}

fn raw_end(chars: &[char], i: usize) -> usize {
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    (i + hashes + 1..chars.len()).find(|k| chars[*k..].starts_with(&end)).map_or(chars.len(), |k| k + end.len())
}

/// One path as it is meant: `crate` at its head where it leads into this crate.
pub struct Import {
    pub path: Vec<String>,
    pub line: usize,
    pub in_test: bool,
}

/// Every path of a file and the names that it gives to types and modules.
pub struct Reading {
    pub imports: Vec<Import>,
    pub names: Vec<(String, usize)>,
}

/// Reads a file that is the module `module`; `super::` and `self::` come out resolved.
pub fn read(module: &[String], text: &str) -> Reading {
    let tokens = tokens(text);
    let word = |i: usize| match tokens.get(i) {
        Some((Token::Word(word), _)) => Some(word.as_str()),
        _ => None,
    };
    let is = |i: usize, token: &Token| tokens.get(i).is_some_and(|(there, _)| there == token);
    let mut reading = Reading { imports: vec![], names: vec![] };
    // Inline modules: the depth of their brace, their name, whether they are tests.
    let mut inside: Vec<(usize, String, bool)> = vec![];
    let (mut depth, mut i, mut test_next) = (0usize, 0, false);
    while i < tokens.len() {
        match &tokens[i].0 {
            Token::Sign('#') => {
                let attribute: Vec<&str> = (i..i + 6).filter_map(word).collect();
                test_next |= attribute.starts_with(&["cfg", "test"]);
            }
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => {
                depth = depth.saturating_sub(1);
                inside.pop_if(|(at, ..)| *at == depth);
            }
            Token::Sign(';') => test_next = false,
            Token::Word(keyword)
                if matches!(keyword.as_str(), "mod" | "struct" | "enum" | "trait" | "type" | "union") =>
            {
                if let Some(name) = word(i + 1) {
                    // What a trait of others asks for is called as they call it: `type Data = Bytes;` inside an `impl`.
                    let given = keyword == "type" && depth > 0 && is(i + 2, &Token::Sign('='));
                    if !given {
                        reading.names.push((name.to_string(), tokens[i].1));
                    }
                    if keyword == "mod" && is(i + 2, &Token::Sign('{')) {
                        inside.push((depth, name.to_string(), test_next || name == "tests"));
                    }
                    test_next = false;
                    i += 1;
                }
            }
            Token::Word(first) if is(i + 1, &Token::Path) || first == "use" => {
                let in_use = first == "use";
                let mut begin = if in_use { i + 1 } else { i };
                if in_use && is(begin, &Token::Path) {
                    begin += 1;
                }
                let mut found = vec![];
                let end = tree(&tokens, begin, &[], &mut found);
                let here: Vec<String> =
                    module.iter().cloned().chain(inside.iter().map(|(_, name, _)| name.clone())).collect();
                let in_test = inside.iter().any(|(.., test)| *test);
                for (path, line) in found {
                    if in_use || path.len() > 1 {
                        reading.imports.push(Import { path: resolve(&here, path), line, in_test });
                    }
                }
                i = end.max(i + 1);
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    reading
}

/// Reads one path or one tree of a `use` from token `i` on; gives all leaves and the token after it.
fn tree(tokens: &[(Token, usize)], mut i: usize, head: &[String], out: &mut Vec<(Vec<String>, usize)>) -> usize {
    let mut path = head.to_vec();
    let line = tokens.get(i).map_or(0, |(_, line)| *line);
    loop {
        match tokens.get(i).map(|(token, _)| token) {
            Some(Token::Word(word)) => path.push(word.clone()),
            Some(Token::Sign('*')) => {}
            Some(Token::Sign('{')) if !path.is_empty() => {
                i += 1;
                while !matches!(tokens.get(i).map(|(token, _)| token), Some(Token::Sign('}')) | None) {
                    let next = tree(tokens, i, &path, out);
                    i = next.max(i + 1);
                    // To the comma or the end of the group: passes over `as name`.
                    while !matches!(tokens.get(i).map(|(token, _)| token), Some(Token::Sign(',' | '}')) | None) {
                        i += 1;
                    }
                    if matches!(tokens.get(i).map(|(token, _)| token), Some(Token::Sign(','))) {
                        i += 1;
                    }
                }
                return i + 1;
            }
            _ => break,
        }
        i += 1;
        match tokens.get(i).map(|(token, _)| token) {
            Some(Token::Path) => i += 1,
            _ => break,
        }
    }
    if path.len() > head.len() || !head.is_empty() {
        out.push((path, line));
    }
    i
}

fn resolve(here: &[String], path: Vec<String>) -> Vec<String> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let head: Vec<String> = match path[0].as_str() {
        "self" => here.to_vec(),
        "super" => here[..here.len().saturating_sub(supers)].to_vec(),
        _ => return path,
    };
    let rest = path.into_iter().skip(supers.max(1));
    std::iter::once("crate".to_string()).chain(head).chain(rest.filter(|part| part != "self")).collect()
}
