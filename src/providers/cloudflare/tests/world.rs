//! A client and a simulated account, joined by real HTTPS.
use crate::{
    providers::{
        cloudflare::{Access, Cloudflare, Pause},
        http::Trust,
    },
    sandbox::{
        authority::Authority,
        cloudflare::{Seed, Simulator, State},
        faults::Faults,
        https::Front,
        store::Store,
        wire::Api,
    },
};
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

pub const ZONE: &str = "7d5e3c1b9a8f4602b3d4e5f6a7b8c9d0";
pub const ACCOUNT: &str = "0f2c6d1e9b7a4385a1c4f7e2d8b6093c";

pub struct World {
    pub dir: tempfile::TempDir,
    pub simulator: Arc<Simulator>,
    pub faults: Arc<Faults>,
    pub client: Cloudflare,
    /// How long the client paused, each time.
    pub pauses: Arc<Mutex<Vec<Duration>>>,
}

pub fn seed(token: &str) -> Seed {
    let scopes = json!({ZONE: ["zone_read", "dns_write"]});
    let tunnels = json!({ACCOUNT: ["tunnel_write"]});
    serde_json::from_value(json!({
        "accounts": [{"id": ACCOUNT, "name": "decent cloud"}],
        "zones": [{"id": ZONE, "name": "decent-cloud.org", "account": ACCOUNT, "plan": "pro"}],
        "tokens": [
            {"secret": token, "zones": scopes, "accounts": tunnels},
            {"secret": "cfat_owned", "account": ACCOUNT, "zones": scopes, "accounts": tunnels},
            {"secret": "off", "status": "disabled"},
        ],
    }))
    .unwrap()
}

pub async fn world(seed: &Seed, token: &str) -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path()).unwrap());
    let authority = Authority::open(&store).unwrap();
    let faults = Arc::new(Faults::open(Arc::clone(&store)).unwrap());
    // Waiting moves the clock of the simulated site instead of taking time.
    let now = Arc::new(Mutex::new(Timestamp::UNIX_EPOCH));
    let clock = Arc::clone(&now);
    let simulator = Simulator::with_clock(seed, State::default(), Arc::new(move || *clock.lock().unwrap())).unwrap();
    let simulator = Arc::new(simulator);
    let front = Front {
        api: Arc::clone(&simulator) as Arc<dyn Api>,
        tls: Some(authority.server("127.0.0.1".parse().unwrap()).unwrap()),
        faults: Arc::clone(&faults),
        idle: Duration::from_secs(60),
    };
    let served = front.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let pauses: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let taken = Arc::clone(&pauses);
    let pause: Pause = Arc::new(move |length| {
        taken.lock().unwrap().push(length);
        let mut now = now.lock().unwrap();
        *now = now.checked_add(i64::try_from(length.as_secs()).unwrap().seconds()).unwrap();
        Box::pin(std::future::ready(()))
    });
    let access = Access {
        base: format!("https://{}/client/v4", served.address).parse().unwrap(),
        token: token.into(),
        trust: Trust::Ca(std::fs::read_to_string(authority.file()).unwrap()),
    };
    let client = Cloudflare::connect_with(&access, pause).unwrap();
    World { dir, simulator, faults, client, pauses }
}
