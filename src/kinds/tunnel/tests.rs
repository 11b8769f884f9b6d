//! Connectors inside simulated guests, with the simulated account of Cloudflare.
use crate::{
    kinds::container::tests::world::{SITE, Site, container, declared_in},
    providers::{
        cloudflare::tests::world::{ACCOUNT, World, ZONE, seed, world},
        host::Place,
    },
    sandbox::proxmox::Seed,
};

const GUEST: Place = Place::Guest { vmid: 100 };
const TOKEN: &str = "/etc/trueup/trueup-tunnel-myird.token";

fn manifests(tunnel: bool) -> crate::kinds::Declarations {
    let site = format!("{SITE}  cloudflare: {{ account: {ACCOUNT}, zone: {ZONE}, token: {{ env: C }} }}\n");
    let connector = "---
apiVersion: trueup/v1alpha1
kind: Tunnel
metadata: { name: myird }
spec: { connector: { guest: myird }, ingress: [{ host: ird.bridges.test, service: 'http://10.99.0.5:8080' }] }
";
    declared_in(&site, &(container("myird", "", 5, "") + if tunnel { connector } else { "" }))
}

/// D11
#[tokio::test]
async fn a_connector_waits_for_its_tunnel_and_has_its_token_in_a_file() {
    let mut site = Site::new(Seed::default()).await;
    let World { client, simulator, dir: _keep, .. } = world(&seed("secret"), "secret").await;
    site.providers.cloudflare = Some(client);
    insta::assert_snapshot!(site.converge(&manifests(true)).await.join("\n"), @"
    + guest/100 myird on pve1 from local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst
    ~ guest/100 start
    + tunnel/ambqgaydambqgayd with its configuration at Cloudflare
    later guest-unit/100/trueup-tunnel-myird connector with the token of the new tunnel (after tunnel/ambqgaydambqgayd)
    + guest-unit/100/trueup-tunnel-myird write trueup-tunnel-myird.service, trueup-tunnel-myird.token; activate trueup-tunnel-myird.service
    ");
    let host = site.providers.host.as_ref().unwrap();
    let token = host.read_file(GUEST, TOKEN).await.unwrap().unwrap();
    assert_eq!(token.mode, 0o600);
    let unit = host.read_file(GUEST, "/etc/systemd/system/trueup-tunnel-myird.service").await.unwrap().unwrap();
    let token = String::from_utf8(token.content.to_vec()).unwrap();
    insta::assert_snapshot!(String::from_utf8_lossy(&unit.content).split_once('\n').unwrap().1, @"
    [Unit]
    Description=Tunnel/myird
    After=network-online.target
    Wants=network-online.target

    [Service]
    Type=notify
    ExecStart=/usr/bin/cloudflared --no-autoupdate tunnel run --token-file /etc/trueup/trueup-tunnel-myird.token
    TimeoutStartSec=15
    Restart=on-failure
    RestartSec=5s

    [Install]
    WantedBy=multi-user.target
    ");
    let log = std::fs::read_to_string(site.directory.path().join("state/calls.jsonl")).unwrap();
    assert!(token.len() > 40 && !log.contains(token.trim()), "it is in no argument");
    let writes = site.faults.counts().1;
    assert_eq!(site.converge(&manifests(true)).await, Vec::<String>::new());
    assert_eq!(site.faults.counts().1, writes);

    // Somebody deletes the tunnel: its successor has another id, and another token.
    let now = Some("2026-11-21T00:00:00Z".to_owned());
    simulator.edit(|state| {
        state.tunnels.values_mut().flat_map(|all| all.values_mut()).for_each(|t| t.deleted_at = now.clone())
    });
    insta::assert_snapshot!(site.converge(&manifests(true)).await.join("\n"), @"
    + tunnel/ambqgaydambqgayd with its configuration at Cloudflare
    later guest-unit/100/trueup-tunnel-myird connector with the token of the new tunnel (after tunnel/ambqgaydambqgayd)
    ~ guest-unit/100/trueup-tunnel-myird write trueup-tunnel-myird.token; activate trueup-tunnel-myird.service
    ");
    let host = site.providers.host.as_ref().unwrap();
    let renewed = host.read_file(GUEST, TOKEN).await.unwrap().unwrap();
    assert_ne!(renewed.content, token.as_bytes());

    insta::assert_snapshot!(site.converge(&manifests(false)).await.join("\n"), @"
    - guest-unit/100/trueup-tunnel-myird stop and remove
    - tunnel/ambqgaydambqgayd 1cb08ba1-0b9d-41e9-afde-fb77b1d1520d, with its connections
    ");
    assert_eq!(site.providers.host.as_ref().unwrap().read_file(GUEST, TOKEN).await.unwrap(), None);
}
