//! Events: what a pass did to one object, and how it ended.
use super::{
    open::{History, HistoryError},
    passes::{PassId, time},
};
use crate::model::{DeclarationId, ObjectId, Verb};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use std::time::Duration;

/// One step that ended. `message` is for people and holds no secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    pub object: ObjectId,
    pub declared: Option<DeclarationId>,
    pub verb: Verb,
    /// `done`, `failed`, `blocked` …
    pub outcome: String,
    pub took: Duration,
    pub message: String,
}

/// An event as it was recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    pub pass: PassId,
    pub at: Timestamp,
    pub object: ObjectId,
    pub declared: Option<DeclarationId>,
    /// As it was written; an older or newer trueup may know other verbs.
    pub verb: String,
    pub outcome: String,
    pub took: Duration,
    pub message: String,
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    let unreadable =
        |text: String| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, text.into());
    Ok(Recorded {
        pass: PassId(row.get("pass")?),
        at: time(row, "at")?,
        object: row.get::<_, String>("object")?.try_into().map_err(unreadable)?,
        declared: row
            .get::<_, Option<String>>("declared")?
            .map(DeclarationId::try_from)
            .transpose()
            .map_err(unreadable)?,
        verb: row.get("verb")?,
        outcome: row.get("outcome")?,
        took: Duration::from_millis(row.get::<_, i64>("took_ms")?.unsigned_abs()),
        message: row.get("message")?,
    })
}

impl History {
    /// Records one step that ended. The system writes it to the disk when it likes: a killed process loses none, a power cut
    /// may lose the last.
    pub fn event(&self, pass: PassId, at: Timestamp, event: &Event) -> Result<(), HistoryError> {
        let connection = self.lock();
        let took = i64::try_from(event.took.as_millis()).unwrap_or(i64::MAX);
        let record = || -> rusqlite::Result<()> {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            let written = connection.execute(
                "INSERT INTO events (pass, at, object, declared, verb, outcome, took_ms, message) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    pass.0,
                    at.as_millisecond(),
                    event.object.to_string(),
                    event.declared.as_ref().map(ToString::to_string),
                    event.verb.to_string(),
                    event.outcome,
                    took,
                    event.message
                ],
            );
            // Also after a failure: the next commit may be one that matters.
            connection.pragma_update(None, "synchronous", "FULL")?;
            written.map(|_| ())
        };
        record().map_err(self.failed("record an event in"))
    }

    /// The events of a pass in the order in which they happened.
    pub fn events_of(&self, pass: PassId) -> Result<Vec<Recorded>, HistoryError> {
        let connection = self.lock();
        let read = || -> rusqlite::Result<Vec<Recorded>> {
            connection
                .prepare("SELECT * FROM events WHERE pass = ? ORDER BY id")?
                .query_map([pass.0], recorded)?
                .collect()
        };
        read().map_err(self.failed("read the events of"))
    }

    /// The last events of all passes, the youngest first.
    pub fn last_events(&self, count: u32) -> Result<Vec<Recorded>, HistoryError> {
        let connection = self.lock();
        let read = || -> rusqlite::Result<Vec<Recorded>> {
            connection.prepare("SELECT * FROM events ORDER BY id DESC LIMIT ?")?.query_map([count], recorded)?.collect()
        };
        read().map_err(self.failed("read the events of"))
    }

    /// What happened last to an object.
    pub fn last_event(&self, object: &ObjectId) -> Result<Option<Recorded>, HistoryError> {
        self.lock()
            .query_row("SELECT * FROM events WHERE object = ? ORDER BY id DESC LIMIT 1", [object.to_string()], recorded)
            .optional()
            .map_err(self.failed("read the last event from"))
    }
}
