//! Events for programs: one JSON object a line, to standard output, a file, or both.
use super::{format::Format, screen::Screen};
use crate::model::{Answer, Class, Failure};
use serde_json::Value;
use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// Where events go.
pub(super) struct Lines<'a> {
    screen: &'a Screen,
    format: Format,
    file: Option<Mutex<File>>,
}

impl<'a> Lines<'a> {
    /// To standard output if `format` is JSON, and into `file` if there is one; its old content is lost.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn open(screen: &'a Screen, format: Format, file: Option<&Path>) -> Answer<Self> {
        let file = file.map(|path| {
            File::create(path).map(Mutex::new).map_err(|error| {
                Failure::new(Class::Invalid, format!("write events into {}", path.display()), error.to_string())
                    .hint("--json-into takes the path of a file in a directory that exists")
            })
        });
        Ok(Self { screen, format, file: file.transpose()? })
    }

    /// Whether standard output is for programs: then no text for people goes there.
    pub fn own_the_screen(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes one event. The object is only made if somebody reads it.
    pub fn emit(&self, event: impl FnOnce() -> Value) {
        if self.format == Format::Text && self.file.is_none() {
            return;
        }
        let line = format!("{}\n", event());
        if self.format == Format::Json {
            self.screen.print(&line);
        }
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = file.write_all(line.as_bytes()) {
                self.screen.warn(&format!("warning: an event is missing from the file of events: {error}"));
            }
        }
    }
}
