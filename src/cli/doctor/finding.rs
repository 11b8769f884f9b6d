//! One answer of the doctor.
use crate::model::Failure;
use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

const GOOD: Style = AnsiColor::Green.on_default();
const DOUBT: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Good,
    /// It works, and somebody should look at it.
    Doubtful,
    Wrong,
    /// Not asked: nothing needs it, or what it needs is wrong.
    NotAsked,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    pub state: State,
    /// `endpoint`, `privilege`, `storage` …
    pub about: &'static str,
    pub text: String,
    pub hint: Option<String>,
}

impl Finding {
    pub fn good(about: &'static str, text: impl Into<String>) -> Self {
        Self { state: State::Good, about, text: text.into(), hint: None }
    }
    pub fn doubtful(about: &'static str, text: impl Into<String>) -> Self {
        Self { state: State::Doubtful, ..Self::good(about, text) }
    }
    pub fn wrong(about: &'static str, text: impl Into<String>) -> Self {
        Self { state: State::Wrong, ..Self::good(about, text) }
    }
    pub fn not_asked(about: &'static str, text: impl Into<String>) -> Self {
        Self { state: State::NotAsked, ..Self::good(about, text) }
    }
    pub fn failed(about: &'static str, mut failure: Failure) -> Self {
        let hint = failure.hint.take();
        Self { hint, ..Self::wrong(about, failure.to_string()) }
    }
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub fn event(&self) -> Value {
        let state = match self.state {
            State::Good => "good",
            State::Doubtful => "doubtful",
            State::Wrong => "wrong",
            State::NotAsked => "not-asked",
        };
        json!({ "event": "finding", "state": state, "about": self.about, "text": self.text, "hint": self.hint })
    }

    pub fn text(&self) -> String {
        let word = match self.state {
            State::Good => format!("{GOOD}ok{GOOD:#}      "),
            State::Doubtful => format!("{DOUBT}look{DOUBT:#}    "),
            State::Wrong => format!("{BAD}wrong{BAD:#}   "),
            State::NotAsked => "-       ".to_owned(),
        };
        let hint = self.hint.as_ref().map(|hint| format!("          {hint}\n")).unwrap_or_default();
        format!("{word}{:<11}{}\n{hint}", self.about, self.text)
    }
}
