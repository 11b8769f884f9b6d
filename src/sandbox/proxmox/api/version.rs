//! `/version` and the index pages.
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::Result,
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/version", version),
    on("GET", "/nodes/{node}/version", version),
    on("GET", "/access", |c| Ok(index(c, "/access", "subdir", ACCESS))),
    on("GET", "/cluster", |c| Ok(below(c, "/cluster"))),
    on("GET", "/nodes/{node}", |c| Ok(below(c, "/nodes/{node}"))),
];

/// In the order in which the real one registers them.
const ACCESS: &[&str] = &["users", "groups", "roles", "acl", "domains", "openid", "tfa", "ticket", "password"];

fn version(call: &mut Call<'_>) -> Result<Answer> {
    let (version, release, repoid) = call.world.release().spelled();
    Ok(json!({"version": version, "release": release, "repoid": repoid}).into())
}

fn index(_: &mut Call<'_>, _: &str, key: &str, names: &[&str]) -> Answer {
    names.iter().map(|n| json!({key: n})).collect::<Vec<Value>>().into_answer()
}

fn below(call: &mut Call<'_>, template: &str) -> Answer {
    let names = call.world.facts.clone();
    // Two that the real one leaves out.
    let listed = |n: &&&str| !matches!(**n, "execute" | "vncwebsocket");
    names.below(template).iter().filter(listed).map(|n| json!({"name": n})).collect::<Vec<Value>>().into_answer()
}

trait IntoAnswer {
    fn into_answer(self) -> Answer;
}

impl IntoAnswer for Vec<Value> {
    fn into_answer(self) -> Answer {
        Value::Array(self).into()
    }
}
