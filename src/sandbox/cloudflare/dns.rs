//! DNS records of one zone.
use super::{
    Call,
    envelope::{Refusal, Success},
    facts::Operation,
    invalid,
    seed::Zone,
    state::{Record, State, next_id},
    time,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

mod batch;
mod conflict;
mod content;
mod list;
mod name;
mod record;

/// The records of a zone by id.
type Records = BTreeMap<String, Record>;

pub fn is_dns(operation: &Operation) -> bool {
    operation.template.contains("/dns_records")
}
pub fn is_record(operation: &Operation) -> bool {
    operation.template.ends_with("/{dns_record_id}")
}
pub fn is_batch(operation: &Operation) -> bool {
    operation.template.ends_with("/dns_records/batch")
}

pub fn serve(call: &mut Call<'_>, zone: &Zone) -> Result<Success, Refusal> {
    let template = call.operation.template.trim_start_matches("/zones/{zone_id}");
    match (call.method, template) {
        ("GET", "/dns_records") => Ok(list::list(call, zone)),
        ("GET", "/dns_records/usage") => {
            let used = call.state.records.get(&zone.id).map_or(0, Records::len);
            Ok(json!({"record_quota": zone.plan.records(), "record_usage": used}).into())
        }
        ("POST", "/dns_records") => {
            let mut edit = Edit::of(call, zone);
            let made = edit.post(&call.body)?;
            Ok(edit.commit(call.state, record::object(&made, &call.seed.behaviour)))
        }
        ("POST", "/dns_records/batch") => batch::run(call, zone),
        (method, "/dns_records/{dns_record_id}") => {
            let id = call.id("dns_record_id").to_owned();
            let mut edit = Edit::of(call, zone);
            let sparse = &call.seed.behaviour;
            let result = match method {
                "GET" => record::object(edit.get(&id)?, sparse),
                "PUT" => {
                    call.operation.check_body(&call.body, false).map_err(|c| invalid(&call.operation, &c))?;
                    record::object(&edit.put(&id, &call.body)?, sparse)
                }
                "PATCH" => {
                    let typed = with_type(&call.body, edit.get(&id)?);
                    call.operation.check_body(&typed, true).map_err(|c| invalid(&call.operation, &c))?;
                    record::object(&edit.patch(&id, &call.body)?, sparse)
                }
                "DELETE" => json!({"id": edit.delete(&id)?.id}),
                _ => return Err(super::zones::not_simulated(method, template)),
            };
            Ok(edit.commit(call.state, result))
        }
        (method, template) => Err(super::zones::not_simulated(method, template)),
    }
}

/// Puts in a record of the seed.
pub fn plant(zone: &Zone, state: &mut State, body: &Value, now: Timestamp) -> Result<(), Refusal> {
    let mut edit = Edit {
        zone,
        records: state.records.get(&zone.id).cloned().unwrap_or_default(),
        counter: state.counter,
        now: time(now),
        silent_proxied: false,
    };
    edit.post(body)?;
    edit.commit(state, Value::Null);
    Ok(())
}

/// A patch names no type where it leaves it alone, but the facts tell records apart by it.
fn with_type(body: &Value, record: &Record) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.entry("type").or_insert_with(|| record.kind.clone().into());
    }
    body
}

/// Changes of one zone that take effect together or not at all.
struct Edit<'a> {
    zone: &'a Zone,
    records: Records,
    /// The counter of ids; taken over at the end.
    counter: u64,
    now: String,
    silent_proxied: bool,
}

impl<'a> Edit<'a> {
    fn of(call: &Call<'_>, zone: &'a Zone) -> Self {
        Self {
            zone,
            records: call.state.records.get(&zone.id).cloned().unwrap_or_default(),
            counter: call.state.counter,
            now: time(call.now),
            silent_proxied: call.seed.behaviour.silent_proxied,
        }
    }

    fn commit(self, state: &mut State, result: Value) -> Success {
        state.counter = self.counter;
        state.records.insert(self.zone.id.clone(), self.records);
        result.into()
    }

    fn get(&self, id: &str) -> Result<&Record, Refusal> {
        self.records.get(id).ok_or_else(|| Refusal::new(404, 81044, "Record does not exist."))
    }

    fn post(&mut self, body: &Value) -> Result<Record, Refusal> {
        let mut made = record::build(self.zone, body, false)?;
        if self.records.len() >= self.zone.plan.records() {
            return Err(Refusal::new(400, 81045, "The record quota has been exceeded."));
        }
        conflict::check(self.zone, &self.records, &made, None)?;
        made.id = next_id(&mut self.counter);
        (made.created_on, made.modified_on) = (self.now.clone(), self.now.clone());
        if made.comment.is_some() {
            made.comment_modified_on = Some(self.now.clone());
        }
        self.records.insert(made.id.clone(), made.clone());
        Ok(made)
    }

    /// What is missing from the body is lost.
    fn put(&mut self, id: &str, body: &Value) -> Result<Record, Refusal> {
        let old = self.get(id)?.clone();
        let made = record::build(self.zone, body, self.silent_proxied)?;
        self.replace(old, made)
    }

    /// What is missing from the body is kept.
    fn patch(&mut self, id: &str, body: &Value) -> Result<Record, Refusal> {
        let old = self.get(id)?.clone();
        let mut fields = record::request(&old);
        let none = Map::new();
        let changes = body.as_object().unwrap_or(&none);
        if changes.get("type").is_some_and(|kind| *kind != old.kind.as_str()) {
            // Another type has another form of content.
            fields.retain(|name, _| !matches!(name.as_str(), "content" | "data" | "priority" | "private_routing"));
        }
        fields.extend(changes.iter().filter(|(name, _)| *name != "id").map(|(n, v)| (n.clone(), v.clone())));
        let made = record::build(self.zone, &Value::Object(fields), self.silent_proxied)?;
        self.replace(old, made)
    }

    fn replace(&mut self, old: Record, mut made: Record) -> Result<Record, Refusal> {
        conflict::check(self.zone, &self.records, &made, Some(&old.id))?;
        made.id = old.id;
        made.created_on = old.created_on;
        made.modified_on = self.now.clone();
        let touched = |same: bool, before: Option<String>| if same { before } else { Some(self.now.clone()) };
        made.comment_modified_on = touched(made.comment == old.comment, old.comment_modified_on);
        made.tags_modified_on = touched(made.tags == old.tags, old.tags_modified_on);
        self.records.insert(made.id.clone(), made.clone());
        Ok(made)
    }

    fn delete(&mut self, id: &str) -> Result<Record, Refusal> {
        let gone = self.get(id)?.clone();
        self.records.remove(id);
        Ok(gone)
    }
}
