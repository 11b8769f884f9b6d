//! Many changes in one call: deletes, patches, puts, posts, in this order, all or nothing.
use super::{Edit, record, with_type};
use crate::sandbox::cloudflare::{
    Call,
    envelope::{Refusal, Success},
    facts::Complaint,
    invalid,
    seed::Zone,
};
use serde_json::{Map, Value, json};

const KINDS: [&str; 4] = ["deletes", "patches", "puts", "posts"];

pub fn run(call: &mut Call<'_>, zone: &Zone) -> Result<Success, Refusal> {
    let mut edit = Edit::of(call, zone);
    check(call, &edit)?;
    let behaviour = &call.seed.behaviour;
    let mut results = Map::new();
    for kind in KINDS {
        let mut done: Vec<Value> = vec![];
        for operation in operations(&call.body, kind) {
            let id = operation["id"].as_str().unwrap_or_default();
            let record = match kind {
                "deletes" => edit.delete(id),
                "patches" => edit.patch(id, operation),
                "puts" => edit.put(id, operation),
                _ => edit.post(operation),
            }?;
            done.push(record::object(&record, behaviour));
        }
        results.insert(kind.to_owned(), Value::from(done));
    }
    Ok(edit.commit(call.state, Value::Object(results)))
}

fn operations<'a>(body: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    body.get(kind).and_then(Value::as_array).into_iter().flatten()
}

/// The form of the body, and how much of it there may be.
fn check(call: &Call<'_>, edit: &Edit<'_>) -> Result<(), Refusal> {
    let refuse = |complaint: Complaint| invalid(&call.operation, &complaint);
    let total: usize = KINDS.iter().map(|kind| operations(&call.body, kind).count()).sum();
    let most = edit.zone.plan.batch();
    if total > most {
        let text = format!("a batch may have {most} operations, this has {total}");
        return Err(refuse(Complaint { at: String::new(), text }));
    }
    // Patches may leave out what they keep; everything else must be whole.
    let mut whole = call.body.clone();
    if let Some(fields) = whole.as_object_mut() {
        fields.remove("patches");
    }
    call.operation.check_body(&whole, false).map_err(refuse)?;
    let patches: Vec<Value> = operations(&call.body, "patches")
        .map(|patch| match patch["id"].as_str().and_then(|id| edit.records.get(id)) {
            Some(record) => with_type(patch, record),
            None => patch.clone(),
        })
        .collect();
    for (n, patch) in patches.iter().enumerate() {
        let id = patch["id"].as_str().unwrap_or_default();
        if id.is_empty() {
            return Err(refuse(Complaint { at: format!("/patches/{n}/id"), text: "is required".into() }));
        }
        edit.get(id)?;
    }
    if patches.is_empty() {
        Ok(())
    } else {
        call.operation.check_body(&json!({"patches": patches}), true).map_err(refuse)
    }
}
