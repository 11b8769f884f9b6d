//! Definitions of storages and realms: what a section takes, and what is refused.
use super::client::Client;
use serde_json::json;

/// A call and the text of its refusal; none where it succeeds.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

async fn all(client: &Client, rows: &[Row<'_>]) {
    for (verb, path, pairs, why) in rows {
        let (status, body) = client.call(verb, path, pairs).await;
        let said = body["message"].as_str().unwrap_or_default().trim_end();
        assert_eq!((status == 200, said), (why.is_empty(), *why), "{verb} {path} {pairs:?}: {body}");
    }
}

#[tokio::test]
async fn a_storage_takes_what_its_plugin_knows() {
    let client = Client::fast();
    let nfs = [("storage", "nn"), ("type", "nfs"), ("server", "10.9.9.9"), ("export", "/x")];
    let dir = |more: &'static [(&str, &str)]| [&[("storage", "dd"), ("type", "dir")], more].concat();
    all(
        &client,
        &[
            ("POST", "/storage", &dir(&[("path", "/srv/d"), ("vgname", "pve")]), "unexpected property 'vgname'"),
            ("POST", "/storage", &dir(&[("path", "/srv/d e")]), "illegal path for directory storage: /srv/d e"),
            (
                "POST",
                "/storage",
                &dir(&[("path", "/srv/d"), ("content", "none,iso")]),
                "unable to combine 'none' with other content types",
            ),
            ("POST", "/storage", &nfs, "create storage failed: storage 'nn' is not online"),
            ("POST", "/storage", &[&nfs[..], &[("disable", "1"), ("content", "iso,none")]].concat(), ""),
            (
                "POST",
                "/storage",
                &[("storage", "tt"), ("type", "lvmthin"), ("vgname", "v"), ("thinpool", "p")],
                "create storage failed: no such logical volume v/p",
            ),
            ("POST", "/storage", &[("storage", "ll"), ("type", "lvm"), ("vgname", "v")], ""),
            ("POST", "/storage", &dir(&[("path", "/srv//d/"), ("shared", "1")]), ""),
            (
                "PUT",
                "/storage/dd",
                &[("delete", "path")],
                "update storage failed: unable to delete required option 'path'",
            ),
            ("PUT", "/storage/dd", &[("delete", "server")], "update storage failed: no such option 'server'"),
            (
                "PUT",
                "/storage/dd",
                &[("delete", "shared"), ("shared", "0")],
                "update storage failed: cannot set and delete property 'shared' at the same time!",
            ),
            ("PUT", "/storage/dd", &[("server", "x")], "update storage failed: unexpected property 'server'"),
            ("PUT", "/storage/dd", &[("max-protected-backups", "3")], ""),
        ],
    )
    .await;
    let d = client.get("/storage/dd").await;
    assert_eq!(
        (&d["path"], &d["shared"], &d["content"], &d["max-protected-backups"]),
        (&json!("/srv/d"), &json!(1), &json!("images,rootdir"), &json!(3))
    );
    let n = client.get("/storage/nn").await;
    assert_eq!((&n["path"], &n["content"], &n["disable"]), (&json!("/mnt/pve/nn"), &json!("iso"), &json!(1)));
    assert_eq!(client.get("/storage/ll").await["content"], "images");
}

#[tokio::test]
async fn realms_are_made_changed_and_removed() {
    let client = Client::fast();
    let ldap =
        [("realm", "corp"), ("type", "ldap"), ("server1", "10.9.9.9"), ("base_dn", "dc=x"), ("user_attr", "uid")];
    all(
        &client,
        &[
            (
                "POST",
                "/access/domains",
                &ldap[..4],
                "add auth server failed: missing value for required option 'user_attr'",
            ),
            ("POST", "/access/domains", &ldap, ""),
            ("POST", "/access/domains", &ldap, "add auth server failed: domain 'corp' already exists"),
            (
                "POST",
                "/access/domains",
                &[("realm", "second"), ("type", "pve")],
                "add auth server failed: unable to create builtin type 'pve'",
            ),
            ("PUT", "/access/domains/corp", &[], "update auth server failed: no options specified"),
            (
                "PUT",
                "/access/domains/corp",
                &[("client-id", "x")],
                "update auth server failed: unexpected property 'client-id'",
            ),
            ("PUT", "/access/domains/corp", &[("port", "389"), ("default", "1"), ("comment", "a\nb")], ""),
            ("PUT", "/access/domains/corp", &[("sync-defaults-options", "scope=users,purge=1,full=1")], ""),
            (
                "PUT",
                "/access/domains/nosuch",
                &[("comment", "x")],
                "update auth server failed: domain 'nosuch' does not exist",
            ),
            ("PUT", "/access/domains/pam", &[("comment", "ours"), ("default", "1")], ""),
            (
                "POST",
                "/access/domains/pam/sync",
                &[],
                "Cannot sync realm type 'pam'! Only LDAP/AD realms can be synced.",
            ),
            ("POST", "/access/users", &[("userid", "a@corp"), ("keys", "x")], ""),
        ],
    )
    .await;
    let corp = client.get("/access/domains/corp").await;
    assert_eq!((&corp["port"], &corp["comment"], corp.get("default")), (&json!(389), &json!("a\nb"), None));
    assert_eq!(corp["sync-defaults-options"], "remove-vanished=entry;properties;acl,scope=users");
    let listed = client.get("/access/domains").await;
    let of = |realm: &str| listed.as_array().unwrap().iter().find(|row| row["realm"] == realm).unwrap().clone();
    assert_eq!(of("pam"), json!({"realm": "pam", "type": "pam", "comment": "ours", "default": 1}));
    let users = client.get("/access/users?full=1").await;
    let user = users.as_array().unwrap().iter().find(|row| row["userid"] == "a@corp").unwrap();
    assert_eq!((&user["realm-type"], &user["email"], &user["tokens"]), (&json!("ldap"), &json!(""), &json!(null)));
    all(
        &client,
        &[
            ("DELETE", "/access/domains/corp", &[], ""),
            (
                "DELETE",
                "/access/domains/corp",
                &[],
                "delete auth server failed: authentication domain 'corp' does not exist",
            ),
            ("DELETE", "/access/domains/pam", &[], ""),
            ("GET", "/access/domains/corp", &[], "domain 'corp' does not exist"),
            ("PUT", "/access/groups/nosuch", &[("comment", "x")], "update group failed: group 'nosuch' does not exist"),
            ("DELETE", "/access/groups/nosuch", &[], "delete group failed: group 'nosuch' does not exist"),
            ("POST", "/access/groups", &[("groupid", "g"), ("comment", "kept")], ""),
            ("PUT", "/access/groups/g", &[], ""),
        ],
    )
    .await;
    assert_eq!(client.get("/access/domains/pam").await["comment"], "Linux PAM standard authentication");
    assert_eq!(client.get("/access/groups/g").await["comment"], "kept");
}

#[tokio::test]
async fn what_a_node_and_a_machine_are_told_is_checked() {
    let client = Client::fast();
    let machine = [("vmid", "301"), ("net0", "virtio,bridge=vmbr0")];
    assert_eq!(client.task("POST", "/nodes/pve1/qemu", &machine).await, "OK");
    let config = "/nodes/pve1/qemu/301/config";
    let q35 = "to use Intel vIOMMU please set the machine type to q35";
    all(
        &client,
        &[
            ("PUT", config, &[("machine", "pc,viommu=intel")], q35),
            ("PUT", config, &[("machine", "q35,viommu=intel")], ""),
            ("PUT", config, &[("net1", "virtio,bridge=vmbr0 x")], "Parameter verification failed."),
            ("PUT", config, &[("net1", "virtio,bridge=a_bridge-of.many")], ""),
            ("PUT", config, &[("delete", "net1")], ""),
            ("POST", "/nodes/pve1/qemu/301/monitor", &[("command", "info")], ""),
            ("POST", "/nodes/pve1/migrateall", &[("target", "pve1")], "Parameter verification failed."),
            ("POST", "/nodes/pve1/migrateall", &[("target", "nosuch")], "no such cluster node 'nosuch'"),
            ("GET", "/access/tfa/root@pam/nosuch", &[], "No such tfa entry 'nosuch'"),
            ("POST", "/access/users", &[("userid", "a@nosuch")], ""),
            ("GET", "/access/users/a@nosuch/tfa", &[], "auth domain 'nosuch' does not exist"),
        ],
    )
    .await;
    assert_eq!(client.get("/access/users/root@pam/tfa?multiple=1").await, json!({"user": []}));
    let why = "invalid service cmd 'pveproxy stop': refusing to stop essential service!";
    assert_eq!(client.task("POST", "/nodes/pve1/services/pveproxy/stop", &[]).await, why);
    let state = async || client.get("/nodes/pve1/services/postfix/state").await["state"].clone();
    assert_eq!(client.task("POST", "/nodes/pve1/services/postfix/stop", &[]).await, "OK");
    assert_eq!(state().await, "dead");
    assert_eq!(client.task("POST", "/nodes/pve1/services/postfix/start", &[]).await, "OK");
    assert_eq!(state().await, "running");
    // A machine that runs is suspended to its disk.
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/301/status/start", &[]).await, "OK");
    assert_eq!(client.task("POST", "/nodes/pve1/suspendall", &[]).await, "OK");
    client.clock.wait(1000).await;
    assert_eq!(client.get(config).await["lock"], "suspended");
}
