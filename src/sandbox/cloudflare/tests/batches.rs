use super::*;

fn path() -> String {
    format!("{}/batch", records())
}

#[tokio::test]
async fn deletes_run_first_so_that_one_record_can_make_room_for_another() {
    let site = Site::new(&seed());
    let cname = json!({"type": "CNAME", "name": "x", "content": "acme.test", "ttl": 1});
    let old = site.ok("POST", &records(), cname).await;
    let body = json!({"posts": [a("x", "203.0.113.1")], "deletes": [{"id": old["id"]}]});
    let done = site.ok("POST", &path(), body).await;
    assert_eq!(done["deletes"][0]["type"], "CNAME");
    assert_eq!(done["posts"][0]["content"], "203.0.113.1");
    assert_eq!((&done["patches"], &done["puts"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn one_bad_operation_undoes_all() {
    let site = Site::new(&seed());
    let made = site.ok("POST", &records(), a("x", "203.0.113.1")).await;
    let before = site.simulator.snapshot();
    let good = json!({"id": made["id"], "comment": "patched"});
    for (body, expected) in [
        (json!({"patches": [good], "posts": [a("y", "203.0.113.1"), a("y", "203.0.113.1")]}), (400, 81058)),
        (json!({"patches": [good, {"id": "0".repeat(32), "ttl": 60}]}), (404, 81044)),
        (json!({"deletes": [{"id": made["id"]}], "patches": [good]}), (404, 81044)),
        (json!({"patches": [{"comment": "no id"}]}), (400, 9207)),
        (json!({"patches": [good, {"id": made["id"], "unknown": 1}]}), (400, 9207)),
        (json!({"puts": [{"id": made["id"], "content": "203.0.113.9"}]}), (400, 9207)),
        (json!({"unknown": []}), (400, 9207)),
    ] {
        assert_eq!(site.refused("POST", &path(), body.clone()).await, expected, "{body}");
        assert_eq!(site.simulator.snapshot(), before);
    }
    site.ok("POST", &path(), json!({"patches": [good]})).await;
    assert_eq!(site.ok("GET", &records(), Value::Null).await[0]["comment"], "patched");
}

#[tokio::test]
async fn the_plan_limits_the_number_of_operations() {
    let mut seed = seed();
    let posts = |n: usize| json!({"posts": (0..n).map(|n| a(&format!("h{n}"), "203.0.113.1")).collect::<Vec<_>>()});
    assert_eq!(Site::new(&seed).refused("POST", &path(), posts(201)).await, (400, 9207));
    Site::new(&seed).ok("POST", &path(), posts(200)).await;
    seed.zones[0].plan = Plan::Pro;
    Site::new(&seed).ok("POST", &path(), posts(201)).await;
}
