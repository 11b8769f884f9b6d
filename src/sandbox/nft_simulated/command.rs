//! The commands that our renderer writes, one to a line.
use super::{
    expression,
    state::{Hook, Key, Part, Sort, Store, Type},
    words::Words,
};
use serde_json::Value;
use std::ops::Range;

/// What nft has against a command, and the columns (from 0) that it means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    pub text: String,
    pub span: Range<usize>,
}

pub enum Command {
    AddTable,
    DeleteTable(Range<usize>),
    AddStore { name: String, store: Store, span: Range<usize> },
    AddChain { name: String, hook: Option<Hook>, span: Range<usize> },
    FlushChain { name: String, span: Range<usize> },
    FlushSet { name: String, span: Range<usize> },
    AddRule { chain: String, expressions: Vec<Value>, uses: Vec<String>, span: Range<usize> },
    Create { store: String, elements: Vec<Element>, span: Range<usize> },
    Delete { store: String, elements: Vec<Element>, span: Range<usize> },
}

/// An element as written; what it may be is known only with the type of its store.
pub struct Element {
    pub key: Vec<String>,
    pub counter: Option<(u64, u64)>,
    pub comment: Option<String>,
    pub value: Option<Vec<String>>,
    pub span: Range<usize>,
}

pub fn read(line: &str) -> Result<Command, Complaint> {
    let mut w = Words::of(line);
    let verb = w.next()?;
    let noun = w.read(|word| ["table", "map", "set", "chain", "rule", "element"].contains(&word).then_some(word))?;
    w.expect("inet")?;
    let table = w.span();
    w.expect("trueup")?;
    let command = match (verb, noun) {
        ("add", "table") => Command::AddTable,
        ("delete", "table") => Command::DeleteTable(table),
        ("add", "map" | "set") => store(&mut w, noun == "map")?,
        ("add", "chain") => chain(&mut w)?,
        ("flush", "chain") => {
            let span = w.span();
            Command::FlushChain { name: name(&mut w)?, span }
        }
        ("flush", "set") => {
            let span = w.span();
            Command::FlushSet { name: name(&mut w)?, span }
        }
        ("add", "rule") => {
            let span = w.span();
            let chain = name(&mut w)?;
            let (expressions, uses) = expression::read(&mut w)?;
            Command::AddRule { chain, expressions, uses, span }
        }
        ("create" | "delete", "element") => {
            let span = w.span();
            let store = name(&mut w)?;
            let elements = elements(&mut w)?;
            match verb {
                "create" => Command::Create { store, elements, span },
                _ => Command::Delete { store, elements, span },
            }
        }
        _ => return Err(Words::of(line).unexpected()),
    };
    w.end()?;
    Ok(command)
}

fn name(w: &mut Words<'_>) -> Result<String, Complaint> {
    let plain = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    w.read(|word| plain(word).then(|| word.to_owned()))
}

/// `NAME { type T . T [: T . T] ; [size N ;] [flags interval ;] [counter ;] }`
fn store(w: &mut Words<'_>, is_map: bool) -> Result<Command, Complaint> {
    let span = w.span();
    let name = name(w)?;
    w.expect("{")?;
    w.expect("type")?;
    let key = types(w)?;
    let value = if is_map {
        w.expect(":")?;
        types(w)?
    } else {
        vec![]
    };
    w.expect(";")?;
    let mut size = None;
    if w.take("size") {
        size = Some(w.read(|n| n.parse().ok().filter(|n| *n > 0u32))?);
        w.expect(";")?;
    }
    let interval = w.take_all("flags interval ;");
    let counter = w.take_all("counter ;");
    w.expect("}")?;
    let sort = if is_map { Sort::Map } else { Sort::Set };
    Ok(Command::AddStore { name, store: Store { size, ..Store::new(sort, key, value, interval, counter) }, span })
}

fn types(w: &mut Words<'_>) -> Result<Vec<Type>, Complaint> {
    let mut all = vec![w.read(Type::named)?];
    while w.take(".") {
        all.push(w.read(Type::named)?);
    }
    Ok(all)
}

/// `NAME [{ type TYPE hook HOOK priority N ; policy accept ; }]`
fn chain(w: &mut Words<'_>) -> Result<Command, Complaint> {
    let span = w.span();
    let name = name(w)?;
    let hook = if w.take("{") {
        w.expect("type")?;
        let kind = w.read(|k| ["nat", "filter"].contains(&k).then(|| k.to_owned()))?;
        w.expect("hook")?;
        let hooks = ["prerouting", "input", "forward", "output", "postrouting"];
        let hook = w.read(|h| hooks.contains(&h).then(|| h.to_owned()))?;
        w.expect("priority")?;
        let priority = w.read(|p| p.parse().ok())?;
        w.expect(";")?;
        w.expect("policy")?;
        let policy = w.read(|p| ["accept", "drop"].contains(&p).then(|| p.to_owned()))?;
        w.expect(";")?;
        w.expect("}")?;
        Some(Hook { kind, hook, priority, policy })
    } else {
        None
    };
    Ok(Command::AddChain { name, hook, span })
}

/// `{ A . B . C [counter packets N bytes N] [comment "…"] [: A . B], … }`
fn elements(w: &mut Words<'_>) -> Result<Vec<Element>, Complaint> {
    w.expect("{")?;
    let mut all = vec![];
    loop {
        let start = w.span().start;
        let key = parts(w)?;
        let counter = if w.take_all("counter packets") {
            let packets = w.read(|n| n.parse().ok())?;
            w.expect("bytes")?;
            Some((packets, w.read(|n| n.parse().ok())?))
        } else {
            None
        };
        let comment = if w.take("comment") {
            let span = w.span();
            let text = w.quoted()?;
            if text.len() > 128 {
                return Err(Complaint { text: "comment too long, 128 characters maximum allowed".into(), span });
            }
            Some(text.to_owned())
        } else {
            None
        };
        let value = if w.take(":") { Some(parts(w)?) } else { None };
        all.push(Element { key, counter, comment, value, span: w.since(start) });
        if !w.take(",") {
            break;
        }
    }
    w.expect("}")?;
    Ok(all)
}

fn parts(w: &mut Words<'_>) -> Result<Vec<String>, Complaint> {
    let part = |word: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b":./".contains(&b);
        (word.bytes().all(plain) && word.bytes().any(|b| b.is_ascii_alphanumeric())).then(|| word.to_owned())
    };
    let mut all = vec![w.read(part)?];
    while w.take(".") {
        all.push(w.read(part)?);
    }
    Ok(all)
}

/// Reads the parts of a key or value by their types.
pub fn typed(parts: &[String], types: &[Type], interval: bool, span: &Range<usize>) -> Result<Key, Complaint> {
    let wrong = |text: String| Complaint { text, span: span.clone() };
    if parts.len() != types.len() {
        return Err(wrong("datatype mismatch, element does not have the type of its set".into()));
    }
    let one = |(text, kind): (&String, &Type)| {
        Part::read(text, *kind, interval).ok_or_else(|| wrong(format!("Could not resolve `{text}` as {}", kind.name())))
    };
    parts.iter().zip(types).map(one).collect()
}
