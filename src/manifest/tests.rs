//! Odd YAML, positions, and the cost of a lot of it.
use super::*;
use std::sync::Arc;

fn read_text(text: &str) -> (Vec<Document>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let documents = read(&Arc::new(SourceFile::new("a.yaml", text)), &mut found);
    (documents, found)
}

/// The only document, which must be without mistakes.
fn one(text: &str) -> Document {
    let (mut documents, found) = read_text(text);
    assert!(found.is_empty(), "{}", render(&found, false, 100));
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0)
}

fn codes(text: &str) -> Vec<&'static str> {
    read_text(text).1.iter().map(|mistake| mistake.code).collect()
}

#[test]
fn yaml_1_2_has_no_surprises() {
    let document =
        one("{a: no, b: 08, c: 1:30, d: on, e: 0o10, f: ~, g: 12, h: true, i: '7', j: null, k: 1_000, l: 0x1f, m: .5}");
    let value = |key: &str| document.value().get(key).expect(key).clone();
    for (key, text) in [("a", "no"), ("b", "08"), ("c", "1:30"), ("d", "on"), ("i", "7"), ("k", "1_000")] {
        assert_eq!(value(key).as_str(), Some(text), "{key}");
    }
    assert!(value("f").is_null() && value("j").is_null());
    assert_eq!((value("g").as_u64(), value("h").as_bool(), value("l").as_u64()), (Some(12), Some(true), Some(31)));
}

#[test]
fn places_are_those_that_people_count() {
    let document = one("# größer\na:\n  - b: é x\n    c: [1, {d: \"ü\"}]\n");
    let place = |path: &str| document.place(path).to_string();
    assert_eq!(place("a.0.b"), "a.yaml:3:8");
    assert_eq!(place("a.0.c.1.d"), "a.yaml:4:16");
    assert_eq!(place("a.0.nothing"), "a.yaml:3:5");
    assert_eq!(place("nothing.at.all"), "a.yaml:2:1");
    assert_eq!(place(""), "a.yaml:2:1");
}

#[test]
fn several_documents_each_for_itself() {
    let (documents, found) = read_text("---\na: 1\n---\n# nothing here\n---\n...\n---\nb: 2\n...\n");
    assert!(found.is_empty(), "{}", render(&found, false, 100));
    let places: Vec<String> = documents.iter().map(|document| document.place("").to_string()).collect();
    assert_eq!(places, ["a.yaml:2:1", "a.yaml:8:1"]);
    assert!(read_text("").0.is_empty() && read_text("# only a comment\n").0.is_empty());
    let (documents, found) = read_text("\u{feff}a: 1\r\nb: 2\r\n");
    assert!(found.is_empty());
    assert_eq!(documents[0].place("b").to_string(), "a.yaml:2:4");
}

#[test]
fn anchors_and_merge_keys_are_found_where_they_were_written() {
    let document =
        one("base: &base {size: 8, name: x}\na:\n  <<: *base\n  name: y\nb: *base\nc:\n  <<: [{size: 1}, *base]\n");
    let value = document.value();
    assert_eq!(value["a"]["size"].as_u64(), Some(8));
    assert_eq!((value["a"]["name"].as_str(), value["b"]["name"].as_str()), (Some("y"), Some("x")));
    assert_eq!((value["c"]["size"].as_u64(), value["c"]["name"].as_str()), (Some(1), Some("x")));
    assert_eq!(document.place("a.size").to_string(), "a.yaml:1:20");
    assert_eq!(document.place("a.name").to_string(), "a.yaml:4:9");
    assert_eq!(document.place("b.size").to_string(), "a.yaml:1:20");
    assert_eq!(document.place("c.size").to_string(), "a.yaml:7:15");
    assert_eq!(codes("a: {<<: 1}"), ["yaml-merge"]);
}

#[test]
fn what_is_not_plain_is_refused() {
    assert_eq!(codes("a: 1\na: 2\n"), ["duplicate-key"]);
    assert_eq!(codes("a: {b: 1, b: 2}\nc: [{d: 1, d: 1}]\n"), ["duplicate-key", "duplicate-key"]);
    assert_eq!(codes("? [a, b]\n: 1\n"), ["yaml-key"]);
    assert_eq!(codes("1: a\n"), ["yaml-key"]);
    assert_eq!(codes("~: a\n"), ["yaml-key"]);
    assert_eq!(codes("a: !!str 1\n"), ["yaml-tag"]);
    assert_eq!(codes("%YAML 1.1\n---\na: 1\n"), ["yaml-syntax"]);
    assert_eq!(codes("a: *b\n"), ["yaml-syntax"]);
    assert_eq!(codes("a: \"\\x\"\n"), ["yaml-syntax"]);
    let garbled = SourceFile::from_bytes("a.yaml", b"a: 1\nb: \xff\n".to_vec());
    let mut found = Vec::new();
    assert!(read(&Arc::new(garbled), &mut found).is_empty());
    assert_eq!(found[0].spot.as_ref().map(|spot| spot.place().to_string()), Some("a.yaml:2:4".into()));
}

/// Two parsers that read a document differently would plan one thing and show another.
#[test]
fn tree_and_value_must_agree() {
    let document = one("a: [x, {b: 1}]\n");
    let file = document.file();
    for (text, agrees) in [
        ("a: [x, {b: 1}]\n", true),
        ("a: [x, {b: 1}, 2]\n", false),
        ("a: [y, {b: 1}]\n", false),
        ("a: [x, {c: 1}]\n", false),
        ("a: [x, {b: text}]\n", false),
        ("a: [x]\n", false),
        ("a: 1\n", false),
    ] {
        let other = serde_yaml::from_str(text).expect("YAML");
        assert_eq!(agree::disagreement(file, document.root(), &other).is_none(), agrees, "{text}");
    }
}

/// Nine levels of nine aliases would be 400 million nodes.
#[test]
fn an_alias_bomb_is_refused_quickly() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(codes(&text), ["yaml-syntax"]);
    // Also where the document is refused for another reason, and the rest of it is looked through.
    text.push_str("a0: again\n");
    assert_eq!(codes(&text), ["duplicate-key"]);
    let deep = "[".repeat(100_000);
    assert_eq!(codes(&deep), ["yaml-syntax"]);
}

#[test]
fn hints_for_what_people_type() {
    let hint = |text: &str| read_text(text).1.first().and_then(|mistake| mistake.hint.clone()).unwrap_or_default();
    assert!(hint("a:\n\tb: 1\n").contains("tabs"), "{}", hint("a:\n\tb: 1\n"));
    assert!(hint("title: a: b\n").contains("quotes"));
    assert!(hint("user: @ops\n").contains("quotes"));
    for (word, meant) in [
        ("brdge", Some("bridge")),
        ("start_on_boot", Some("startOnBoot")),
        ("mem", None),
        ("colour", None),
        ("netwrok", Some("network")),
    ] {
        assert_eq!(suggest(word, ["bridge", "startOnBoot", "memory", "network"]), meant, "{word}");
    }
}

#[test]
fn json_has_one_object_a_line() {
    let (_, found) = read_text("a: 1\na: 2\n\"ü\": [\n");
    let lines = json_lines(&found);
    let objects: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects.len(), found.len());
    assert_eq!(objects[0]["event"], "diagnostic");
    assert_eq!(
        (&objects[0]["file"], &objects[0]["line"]),
        (&"a.yaml".into(), &found[0].spot.as_ref().map(|s| s.place().line).into())
    );
}
