//! Passes: when, why, from which commit, with what result; and what was desired and applied.
use super::open::{History, HistoryError};
use crate::model::{ObjectId, Revision};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::{BTreeMap, BTreeSet};

/// A pass in the database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PassId(pub(super) i64);

/// What is known when a pass begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Began {
    pub site: String,
    pub at: Timestamp,
    /// Why it runs: `command`, `push`, `drift of dns-record` …
    pub trigger: String,
    /// The folder or repository of the manifests, without credentials.
    pub source: String,
    pub commit: Option<String>,
    pub dry_run: bool,
}

/// How many steps or objects ended how.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    pub done: u32,
    pub failed: u32,
    pub blocked: u32,
    pub withheld: u32,
    pub waiting: u32,
    pub unchanged: u32,
}

/// What is known when a pass has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended<'a> {
    pub at: Timestamp,
    pub exit_code: u8,
    pub totals: Totals,
    /// Digests of what is desired of the objects that the last look found *as desired*. What is still out of true stays as
    /// it was recorded before, or the next pass would take a change in git for drift.
    pub settled: &'a BTreeMap<ObjectId, Revision>,
    /// Objects that are no longer there.
    pub gone: &'a BTreeSet<ObjectId>,
    /// Whether the commit counts as applied from now on: older and rewritten ones are refused after it.
    pub applied: bool,
}

/// A pass as it was recorded. `ended` is `None` while it runs, and for ever when it was killed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pass {
    pub id: PassId,
    pub began: Began,
    pub ended: Option<Timestamp>,
    pub exit_code: Option<u8>,
    pub totals: Totals,
}

/// What was desired of an object when it was last as desired.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Before {
    pub digest: Revision,
    /// The commit that brought this, and when it was first found applied.
    pub commit: Option<String>,
    pub at: Timestamp,
}

/// The commit that was applied last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    pub source: String,
    pub commit: String,
    pub at: Timestamp,
}

/// Reads a time; one that is out of range was written by nobody.
pub(super) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    time_of(row.get(column)?)
}

fn time_of(milliseconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Integer, Box::new(e)))
}

fn pass(row: &Row<'_>) -> rusqlite::Result<Pass> {
    Ok(Pass {
        id: PassId(row.get("id")?),
        began: Began {
            site: row.get("site")?,
            at: time(row, "began")?,
            trigger: row.get("trigger")?,
            source: row.get("source")?,
            commit: row.get("commit_id")?,
            dry_run: row.get("dry_run")?,
        },
        ended: row.get::<_, Option<i64>>("ended")?.map(time_of).transpose()?,
        exit_code: row.get("exit_code")?,
        totals: Totals {
            done: row.get("done")?,
            failed: row.get("failed")?,
            blocked: row.get("blocked")?,
            withheld: row.get("withheld")?,
            waiting: row.get("waiting")?,
            unchanged: row.get("unchanged")?,
        },
    })
}

impl History {
    /// Records that a pass begins. On the disk when this returns, so that a killed pass is seen as one.
    pub fn begin(&self, began: &Began) -> Result<PassId, HistoryError> {
        let connection = self.lock();
        connection
            .execute(
                "INSERT INTO passes (site, began, trigger, source, commit_id, dry_run) VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    began.site,
                    began.at.as_millisecond(),
                    began.trigger,
                    began.source,
                    began.commit,
                    began.dry_run
                ],
            )
            .map_err(self.failed("record the pass in"))?;
        Ok(PassId(connection.last_insert_rowid()))
    }

    /// Records how a pass ended, what is settled, and the commit, all or nothing. On the disk when this returns.
    pub fn finish(&self, pass: PassId, ended: &Ended<'_>) -> Result<(), HistoryError> {
        let mut connection = self.lock();
        let record = |connection: &mut rusqlite::Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            let at = ended.at.as_millisecond();
            let t = ended.totals;
            let (site, source, commit): (String, String, Option<String>) = transaction.query_row(
                "UPDATE passes SET ended = ?, exit_code = ?, done = ?, failed = ?, blocked = ?, withheld = ?, waiting = ?, \
                 unchanged = ? WHERE id = ? RETURNING site, source, commit_id",
                params![at, ended.exit_code, t.done, t.failed, t.blocked, t.withheld, t.waiting, t.unchanged, pass.0],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            let mut settle = transaction.prepare(
                "INSERT INTO desired (site, object, digest, commit_id, at) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (site, object) DO UPDATE SET digest = ?3, commit_id = ?4, at = ?5 WHERE digest <> ?3",
            )?;
            for (object, digest) in ended.settled {
                settle.execute(params![site, object.to_string(), digest.0, commit, at])?;
            }
            drop(settle);
            for object in ended.gone {
                transaction
                    .execute("DELETE FROM desired WHERE site = ? AND object = ?", params![site, object.to_string()])?;
            }
            if let (true, Some(commit)) = (ended.applied, commit) {
                transaction.execute(
                    "INSERT INTO applied_commit (site, source, commit_id, at) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (site) DO UPDATE SET source = ?2, commit_id = ?3, at = ?4",
                    params![site, source, commit, at],
                )?;
            }
            transaction.commit()
        };
        record(&mut connection).map_err(self.failed("record the end of the pass in"))
    }

    /// What was desired of these objects when they were last as desired; unknown ones are left out. A digest that has
    /// changed since means a change in git; the same digest and another live state mean drift.
    pub fn desired_before<'a>(
        &self,
        site: &str,
        objects: impl IntoIterator<Item = &'a ObjectId>,
    ) -> Result<BTreeMap<ObjectId, Before>, HistoryError> {
        let connection = self.lock();
        let read = || -> rusqlite::Result<BTreeMap<ObjectId, Before>> {
            let mut query =
                connection.prepare("SELECT digest, commit_id, at FROM desired WHERE site = ? AND object = ?")?;
            let mut all = BTreeMap::new();
            for object in objects {
                let found = query.query_row(params![site, object.to_string()], |row| {
                    Ok(Before { digest: Revision(row.get(0)?), commit: row.get(1)?, at: time(row, "at")? })
                });
                if let Some(before) = found.optional()? {
                    all.insert(object.clone(), before);
                }
            }
            Ok(all)
        };
        read().map_err(self.failed("read what was desired from"))
    }

    /// The last passes, the youngest first.
    pub fn last_passes(&self, count: u32) -> Result<Vec<Pass>, HistoryError> {
        let connection = self.lock();
        let read = || -> rusqlite::Result<Vec<Pass>> {
            let mut query = connection.prepare("SELECT * FROM passes ORDER BY id DESC LIMIT ?")?;
            query.query_map([count], pass)?.collect()
        };
        read().map_err(self.failed("read the passes of"))
    }

    /// The commit of a site that was applied last.
    pub fn applied_commit(&self, site: &str) -> Result<Option<Applied>, HistoryError> {
        self.lock()
            .query_row("SELECT source, commit_id, at FROM applied_commit WHERE site = ?", [site], |row| {
                Ok(Applied { source: row.get(0)?, commit: row.get(1)?, at: time(row, "at")? })
            })
            .optional()
            .map_err(self.failed("read the applied commit from"))
    }

    /// Forgets passes that began before this time, with their events. What was desired and applied stays.
    pub fn forget_before(&self, time: Timestamp) -> Result<usize, HistoryError> {
        self.lock()
            .execute("DELETE FROM passes WHERE began < ?", [time.as_millisecond()])
            .map_err(self.failed("forget old passes of"))
    }
}
