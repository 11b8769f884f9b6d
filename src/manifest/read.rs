//! From the text of a file to its documents.
use super::{
    Diagnostic, Document, SourceFile, Spot,
    agree::disagreement,
    fallback, suggest,
    tree::{Builder, Node, duplicates},
};
use granit_parser::{Event, Parser, ScanError, options};
use serde_yaml::Value;
use std::{ops::Range, sync::Arc};

/// One document as the first parser saw it.
struct Piece {
    start: usize,
    builder: Builder,
    root: Option<Node>,
    whole: bool,
}

/// The documents of a file. What is wrong is added to `found`; a document with a mistake comes back all the same, for its other
/// mistakes: with errors in `found`, nothing that is returned may be used as what somebody wants.
pub fn read(file: &Arc<SourceFile>, found: &mut Vec<Diagnostic>) -> Vec<Document> {
    if let Some(at) = file.garbled() {
        let spot = Spot { file: file.clone(), span: at..at };
        found.push(Diagnostic::error("encoding", spot, "the file is not UTF-8 text").hint("save it as UTF-8"));
        return Vec::new();
    }
    let pieces = pieces(file, found);
    let ends: Vec<usize> = pieces.iter().skip(1).map(|next| next.start).chain([file.text().len()]).collect();
    let documents = pieces.into_iter().zip(ends);
    documents.filter_map(|(piece, end)| document(file, piece, end, found)).collect()
}

/// Reads events until the end; after a mistake goes on with the next document.
fn pieces(file: &Arc<SourceFile>, found: &mut Vec<Diagnostic>) -> Vec<Piece> {
    let options = options! { emit_comments: false, disallow_directives: true };
    let mut parser = Parser::new_from_str_with_options(file.text(), options);
    let mut pieces: Vec<Piece> = Vec::new();
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return pieces,
            Some(Ok((Event::DocumentStart(..), span))) => {
                let start = span.byte_range().map_or(0, |range| range.start);
                pieces.push(Piece { start, builder: Builder::default(), root: None, whole: false });
            }
            Some(Ok((Event::DocumentEnd, _))) => {
                if let Some(piece) = pieces.last_mut() {
                    piece.root = piece.builder.root();
                    piece.whole = true;
                }
            }
            Some(Ok((event, span))) => {
                if let Some(piece) = pieces.last_mut() {
                    piece.builder.take(file, event, &span);
                }
            }
            Some(Err(error)) => {
                found.push(syntax(file, &error));
                if !matches!(parser.proceed_next_document(), Ok(true)) {
                    return pieces;
                }
            }
        }
    }
}

fn document(file: &Arc<SourceFile>, mut piece: Piece, end: usize, found: &mut Vec<Diagnostic>) -> Option<Document> {
    if !piece.whole {
        return None;
    }
    let root = piece.root?;
    if matches!(&root.content, super::Content::Scalar { text, plain: true } if text.is_empty()) {
        return None;
    }
    let mut mistakes = std::mem::take(&mut piece.builder.mistakes);
    duplicates(file, &root, &mut mistakes);
    let value = if mistakes.is_empty() { value(file, &root, piece.start..end) } else { Ok(stand_in(&root)) };
    let value = value.unwrap_or_else(|mistake| {
        mistakes.push(*mistake);
        stand_in(&root)
    });
    found.append(&mut mistakes);
    Some(Document::new(file.clone(), root, value))
}

/// A value for a document that is refused already. What cannot be merged in it was reported.
fn stand_in(root: &Node) -> Value {
    let mut value = fallback::value(root);
    value.apply_merge().ok();
    value
}

/// The value of one document, by the second parser.
fn value(file: &Arc<SourceFile>, root: &Node, span: Range<usize>) -> Result<Value, Box<Diagnostic>> {
    let spot = || Spot { file: file.clone(), span: root.span.start..root.span.start };
    let text = file.text().get(span.clone()).unwrap_or_default();
    let mut value: Value = serde_yaml::from_str(text).map_err(|error| {
        let at = error.location().map_or(root.span.start, |location| span.start + location.index());
        let spot = Spot { file: file.clone(), span: at..at };
        Box::new(Diagnostic::error("yaml-syntax", spot, format!("this YAML cannot be read: {error}")))
    })?;
    if let Some(mistake) = disagreement(file, root, &value) {
        return Err(Box::new(mistake));
    }
    value.apply_merge().map_err(|error| {
        let message = format!("a merge key cannot be applied: {error}");
        Box::new(Diagnostic::error("yaml-merge", spot(), message))
    })?;
    Ok(value)
}

fn syntax(file: &Arc<SourceFile>, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or_default().min(file.text().len());
    let line = file.text()[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let spot = Spot { file: file.clone(), span: at..at };
    let before = file.text()[line..].split('\n').next().unwrap_or_default();
    let mistake = Diagnostic::error("yaml-syntax", spot, format!("this is not YAML: {}", error.info()));
    mistake.maybe_hint(suggest::for_yaml(before))
}
