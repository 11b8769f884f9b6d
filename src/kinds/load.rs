//! From the texts of files to checked declarations.
use super::{
    check::{self, Named},
    declared::Declarations,
    kind::{KINDS, Kind, PLANNED},
};
use crate::manifest::{Diagnostic, Document, SourceFile, envelope, read, suggest};
use std::{collections::BTreeMap, sync::Arc};

/// Kinds whose objects share one name space: `guest:` names one of them.
const GUESTS: [&str; 2] = ["Container", "VirtualMachine"];

/// Reads all files and checks what they say together. Everything that is wrong comes back, sorted by file and place. While there is an error
/// among it, the declarations are not complete and must not be acted upon.
pub fn load(files: Vec<SourceFile>) -> (Declarations, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let mut declarations = Declarations::default();
    if files.is_empty() {
        let mistake = Diagnostic::general("no-manifests", "there are no manifests here");
        return (declarations, vec![mistake.hint("manifests are files that end in .yaml or .yml")]);
    }
    let files: Vec<Arc<SourceFile>> = files.into_iter().map(Arc::new).collect();
    // A `---` at the end of a file leaves an empty document behind; many tools write it.
    let said = |document: &Document| !document.value().is_null();
    let documents: Vec<Arc<Document>> =
        files.iter().flat_map(|file| read(file, &mut found)).filter(said).map(Arc::new).collect();
    if documents.is_empty() && found.is_empty() {
        let mistake =
            Diagnostic::general("no-manifests", format!("there are no manifests in the {} files here", files.len()));
        return (declarations, vec![mistake.hint("each of them is empty; is the clone complete?")]);
    }
    let mut names = Names::default();
    for document in &documents {
        one(document, &mut names, &mut declarations, &mut found);
    }
    check::all(&check::Whole { declarations: &declarations, named: &names.named, documents: &documents }, &mut found);
    if !found.is_empty() {
        documents.iter().for_each(|document| document.conceal_secrets());
    }
    found.sort_by(Diagnostic::order);
    (declarations, found)
}

#[derive(Default)]
struct Names {
    /// Where each name was given first, per name space.
    first: BTreeMap<(&'static str, String), (Arc<Document>, &'static str)>,
    named: Named,
}

fn one(document: &Arc<Document>, names: &mut Names, declarations: &mut Declarations, found: &mut Vec<Diagnostic>) {
    let Some(envelope) = envelope(document, found) else { return };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == envelope.kind) else {
        found.push(unknown(document, &envelope.kind));
        return;
    };
    let mut free = true;
    if let Some(name) = envelope.name {
        names.named.entry(kind.name).or_default().insert(name.clone());
        free = names.take(document, kind, name, found);
    }
    let meta = envelope.metadata.map(|metadata| metadata.read(document, kind.deletion, found));
    (kind.read)(document, meta.filter(|_| free), declarations, found);
}

impl Names {
    /// Whether the name is free; the first one keeps it.
    fn take(&mut self, document: &Arc<Document>, kind: &Kind, name: String, found: &mut Vec<Diagnostic>) -> bool {
        let space = if GUESTS.contains(&kind.name) { "guest" } else { kind.name };
        let path = ["metadata".into(), "name".into()];
        match self.first.get(&(space, name.clone())) {
            None => {
                self.first.insert((space, name), (document.clone(), kind.name));
                true
            }
            Some((first, was)) => {
                let message = format!("{} `{name}` is declared twice", kind.name);
                let mistake = Diagnostic::error("duplicate-name", document.value_spot(&path), message);
                let mistake = mistake.label("again here").other(first.value_spot(&path), "first here");
                found.push(match *was == kind.name {
                    true => mistake,
                    false => mistake.hint("guests of all kinds share one name space"),
                });
                false
            }
        }
    }
}

fn unknown(document: &Document, kind: &str) -> Diagnostic {
    let spot = document.value_spot(&["kind".into()]);
    if PLANNED.contains(&kind) {
        let mistake = Diagnostic::error("kind-not-supported", spot, format!("the kind {kind} is not supported yet"));
        return mistake.hint("take the manifest out of the tree for now");
    }
    let names = KINDS.iter().map(|kind| kind.name);
    let mistake = Diagnostic::error("unknown-kind", spot, format!("unknown kind `{kind}`"));
    match suggest(kind, names.clone()) {
        Some(meant) => mistake.hint(format!("did you mean `{meant}`?")),
        None => mistake.hint(format!("the kinds are {}", names.collect::<Vec<_>>().join(", "))),
    }
}
