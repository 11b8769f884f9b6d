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
    on("GET", "/access/openid", |c| Ok(index(c, "/access/openid", "subdir", &["auth-url", "login"]))),
    on("GET", "/cluster/config", |c| {
        Ok(index(c, "/cluster/config", "name", &["nodes", "totem", "join", "qdevice", "apiversion"]))
    }),
    on("GET", "/cluster/config/apiversion", |_| Ok(json!(1).into())),
    on("GET", "/cluster/config/qdevice", |_| Ok(json!({}).into())),
    on("GET", "/cluster/ha", |c| Ok(index(c, "/cluster/ha", "id", &["status", "resources", "groups", "rules"]))),
    on("GET", "/cluster/jobs", |c| Ok(index(c, "/cluster/jobs", "subdir", &["schedule-analyze", "realm-sync"]))),
    on("GET", "/cluster/metrics", |c| Ok(index(c, "/cluster/metrics", "name", &["server"]))),
    on("GET", "/cluster/qemu", |c| Ok(index(c, "/cluster/qemu", "name", &["cpu-flags", "custom-cpu-models"]))),
    on("GET", "/cluster/qemu/custom-cpu-models", |_| Ok(json!([]).into())),
    on("GET", "/nodes/{node}/certificates", |c| {
        Ok(index(c, "/nodes/{node}/certificates", "name", &["acme", "custom", "info"]))
    }),
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
