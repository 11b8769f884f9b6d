//! What is kept, what is refused, what survives.
mod keeping;
mod opening;
mod surviving;

use super::{Began, Event, History};
use crate::model::{DeclarationId, ObjectId, Verb};
use jiff::Timestamp;
use std::{path::Path, time::Duration};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
}

fn object(text: &str) -> ObjectId {
    text.to_string().try_into().expect("RESOURCE/KEY")
}

fn open(path: &Path) -> History {
    let (history, warnings) = History::open(path, at(0)).expect("opens");
    assert_eq!(warnings, []);
    history
}

fn began(seconds: i64, commit: &str) -> Began {
    Began {
        site: "dc-lk".into(),
        at: at(seconds),
        trigger: "command".into(),
        source: "/srv/site".into(),
        commit: Some(commit.into()),
        dry_run: false,
    }
}

fn event(id: &str, outcome: &str) -> Event {
    Event {
        object: object(id),
        declared: Some(DeclarationId::new("Container", "web")),
        verb: Verb::Create,
        outcome: outcome.into(),
        took: Duration::from_millis(1_234),
        message: "could not create container 101: no space".into(),
    }
}
