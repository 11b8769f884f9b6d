//! `/nodes/{node}/tasks` and `/cluster/tasks`.
use crate::sandbox::proxmox::{
    access::Who,
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    schema::split_list,
    task::{Task, is_upid},
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/tasks", list),
    on("GET", "/nodes/{node}/tasks/{upid}", |_| Ok(json!([{"name": "log"}, {"name": "status"}]).into())),
    on("GET", "/nodes/{node}/tasks/{upid}/status", status),
    on("GET", "/nodes/{node}/tasks/{upid}/log", log),
    on("DELETE", "/nodes/{node}/tasks/{upid}", abort),
    on("GET", "/cluster/tasks", recent),
];

impl Call<'_> {
    /// The task of the path, when there is one and they may see it.
    fn task(&self, privilege: &str) -> Result<Option<Task>> {
        let upid = self.arg("upid").unwrap_or_default();
        is_upid(upid)?;
        let found = self.world.state.tasks.iter().find(|t| t.upid == upid);
        if !upid.split(':').nth(7).is_some_and(|who| is_own(&self.who, who)) {
            self.world.state.demand(&self.who, &format!("/nodes/{}", self.node()), &[privilege])?;
        }
        Ok(found.cloned())
    }

    /// The task of the path, which must be there before anybody asks whether they may see it.
    fn known_task(&self, privilege: &str) -> Result<Task> {
        let upid = self.arg("upid").unwrap_or_default();
        is_upid(upid)?;
        let missing = || Refusal::parameter("upid", "no such task");
        if !self.world.state.tasks.iter().any(|t| t.upid == upid) {
            return Err(missing());
        }
        self.task(privilege)?.ok_or_else(missing)
    }
}

/// Whether a task is somebody's: a user's own are those of their tokens too.
fn is_own(who: &Who, of: &str) -> bool {
    let me = who.id();
    of == me || of.split_once('!').is_some_and(|(user, _)| user == me)
}

fn status(call: &mut Call<'_>) -> Result<Answer> {
    let task = call.known_task("Sys.Audit")?;
    let mut data = facts_of(&task);
    data.insert("pid".into(), json!(task.pid));
    data.insert("pstart".into(), json!(task.pstart));
    data.insert("status".into(), json!(if task.is_over() { "stopped" } else { "running" }));
    if let Some(exit) = &task.exit {
        data.insert("exitstatus".into(), json!(exit));
    }
    Ok(Value::Object(data).into())
}

/// What all views of a task share.
fn facts_of(task: &Task) -> Map<String, Value> {
    let (user, token) = task.user();
    let mut data = Map::new();
    data.insert("upid".into(), json!(task.upid));
    data.insert("node".into(), json!(task.node));
    data.insert("type".into(), json!(task.kind));
    data.insert("id".into(), json!(task.id));
    data.insert("starttime".into(), json!(task.started / 1000));
    data.insert("user".into(), json!(user));
    if let Some(token) = token {
        data.insert("tokenid".into(), json!(token));
    }
    data
}

fn log(call: &mut Call<'_>) -> Result<Answer> {
    let task = call.task("Sys.Audit")?;
    let file = task.as_ref().map(|t| {
        let begun = i64::try_from(t.started / 1000).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
        format!("task-{}-{}-{}.log", t.node, t.kind, begun.unwrap_or_default())
    });
    let lines = match task {
        Some(task) if task.log.is_empty() => vec!["no content".into()],
        Some(task) => task.log,
        None => vec!["unable to open file - No such file or directory".into()],
    };
    if call.flag("download") {
        if call.arg("start").or(call.arg("limit")).is_some() {
            return Err(Refusal::die("'download' cannot be used together with 'start' or 'limit' parameters"));
        }
        return Ok(Answer { plain: Some(lines.iter().map(|l| format!("{l}\n")).collect()), file, ..Answer::default() });
    }
    let number = |name: &str, default: usize| call.arg(name).and_then(|v| v.parse().ok()).unwrap_or(default);
    let (start, limit) = (number("start", 0), number("limit", 50));
    let limit = if limit == 0 { usize::MAX } else { limit };
    let shown = lines.iter().enumerate().skip(start).take(limit).map(|(i, l)| json!({"n": i + 1, "t": l}));
    let mut answer = Answer::from(Value::Array(shown.collect()));
    answer.beside.insert("total".into(), json!(lines.len()));
    Ok(answer)
}

fn abort(call: &mut Call<'_>) -> Result<Answer> {
    let task = call.known_task("Sys.Modify")?;
    call.world.interrupt(&task.upid);
    Ok(Value::Null.into())
}

/// A word for how a task ended, as `statusfilter` takes it.
fn ending(task: &Task) -> &'static str {
    match task.exit.as_deref() {
        Some("OK") => "ok",
        Some(exit) if exit.starts_with("WARNINGS: ") => "warning",
        Some("unexpected status") | None => "unknown",
        Some(_) => "error",
    }
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let node = call.node();
    let everything = call.world.state.may(&call.who, &format!("/nodes/{node}"), &["Sys.Audit"], false);
    let number = |name: &str| call.arg(name).and_then(|v| v.parse::<i64>().ok());
    let (start, limit) = (number("start").unwrap_or(0) as usize, number("limit").unwrap_or(50) as usize);
    let source = call.arg("source").unwrap_or("archive");
    let given = |name: &str| call.arg(name).filter(|v| !v.is_empty());
    // Errors are all that did not go well, whatever else is asked for.
    let wanted = call.arg("statusfilter").map(|list| split_list(&list.to_lowercase()));
    let ended = |task: &Task| match (call.flag("errors"), &wanted) {
        (true, _) => ending(task) != "ok",
        (false, Some(wanted)) => wanted.iter().any(|w| w == ending(task)),
        (false, None) => true,
    };
    let fits = |task: &&Task| {
        let running = !task.is_over();
        let (user, _) = task.user();
        task.node == node
            && (everything || is_own(&call.who, &task.who))
            && match source {
                "active" => running,
                "all" => true,
                _ => call.world.is_archived(task),
            }
            && call.arg("vmid").is_none_or(|v| task.id == v)
            && given("typefilter").is_none_or(|t| task.kind == t)
            && given("userfilter").is_none_or(|u| user.to_lowercase().contains(&u.to_lowercase()))
            && number("since").is_none_or(|s| (task.started / 1000) as i64 >= s)
            && number("until").is_none_or(|u| (task.started / 1000) as i64 <= u)
            && ended(task)
    };
    let mut found: Vec<&Task> = call.world.state.tasks.iter().filter(fits).collect();
    // Running ones first, then the newest.
    found.reverse();
    found.sort_by_key(|t| (t.is_over(), std::cmp::Reverse(t.ends.max(t.started))));
    let total = found.len();
    let rows: Vec<Value> = found.into_iter().skip(start).take(limit).map(row).collect();
    let mut answer = Answer::from(Value::Array(rows));
    if total > 0 {
        answer.beside.insert("total".into(), json!(total));
    }
    Ok(answer)
}

fn row(task: &Task) -> Value {
    let mut data = facts_of(task);
    data.insert("pid".into(), json!(task.pid));
    data.insert("pstart".into(), json!(task.pstart));
    match &task.exit {
        Some(exit) => {
            data.insert("endtime".into(), json!(task.ends / 1000));
            data.insert("status".into(), json!(exit));
        }
        None => {
            // The list of active tasks does not take the token apart.
            data.insert("user".into(), json!(task.who));
            data.remove("tokenid");
            data.insert("status".into(), json!("RUNNING"));
            data.insert("saved".into(), json!("0"));
        }
    }
    Value::Object(data)
}

fn recent(call: &mut Call<'_>) -> Result<Answer> {
    let me = call.who.id();
    let state = &call.world.state;
    let visible = |t: &&Task| t.who == me || state.may(&call.who, &format!("/nodes/{}", t.node), &["Sys.Audit"], false);
    let rows: Vec<Value> = state
        .tasks
        .iter()
        .rev()
        .filter(visible)
        .take(25)
        .map(|task| {
            let mut data = facts_of(task);
            match &task.exit {
                Some(exit) => {
                    data.insert("endtime".into(), json!(task.ends / 1000));
                    data.insert("status".into(), json!(exit));
                    data.insert("saved".into(), json!("1"));
                }
                None => {
                    data.insert("pid".into(), json!(task.pid));
                }
            }
            Value::Object(data)
        })
        .collect();
    Ok(Value::Array(rows).into())
}
