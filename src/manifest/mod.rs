//! Documents with positions, and what is wrong with them.
//!
//! `file` texts become [`Document`]s: a tree that knows where everything stands beside the value that is read from it. What does not fit
//! becomes a [`Diagnostic`]; reading goes on, so that one run shows all mistakes. Knows no kind: `kinds` brings the types.
mod agree;
mod diagnostic;
mod document;
mod envelope;
mod fallback;
mod file;
mod json;
mod message;
mod read;
mod render;
mod suggest;
mod tree;
mod typed;

pub use diagnostic::{Diagnostic, Place, Severity, Spot};
pub use document::Document;
pub use envelope::{API_VERSION, Envelope, Metadata, WrittenMetadata, envelope};
pub use file::SourceFile;
pub use json::json_lines;
pub use read::read;
pub use render::render;
pub use suggest::suggest;
pub use tree::{Content, Key, Node, Segment};
pub use typed::typed;

#[cfg(test)]
mod tests;
