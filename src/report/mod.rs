//! A plan or a pass for people and for programs. Nothing is decided here and nothing is printed here: text is made, with
//! colours in it that whoever prints takes out again where they are not wanted.
mod exit;
mod json;
mod plan_text;
mod summary;
mod words;

pub use exit::Exit;
pub use json::{event_json, plan_json, summary_json};
pub use plan_text::{View, plan_text};
pub use summary::summary_text;
pub use words::{Why, span};

#[cfg(test)]
mod tests;
