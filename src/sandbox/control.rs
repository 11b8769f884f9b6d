//! The control socket: how `trueup sandbox drift|fault|show|exec|stop` talk to a running sandbox. One question and one
//! answer per connection, each a line of JSON.
use super::{
    drift::{self, Drift},
    faults::{Fault, Faults},
    net::probe::{self, Probe},
    site::Site,
    view,
};
use crate::providers::{
    host::{HostReply, Limits},
    sandbox_connection::Connection,
};
use anyhow::{Context, Result, anyhow};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{io, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// What can be asked of a running sandbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// Everything that there is: guests, forwards, routes, records, tunnels, units, and how to reach it.
    Show,
    /// Changes something behind the product's back.
    Drift(Drift),
    /// The rules of faults.
    Faults,
    /// Replaces the rules of faults.
    SetFaults(Vec<Fault>),
    /// Adds a rule.
    AddFault(Fault),
    /// How many calls and writes there were.
    Calls,
    /// Answers when a call is held by a `hold` rule, with its line of the log.
    WaitForHold,
    /// A connection from the client namespace.
    Probe(Probe),
    /// A command in a namespace: `client`, `edge` or `guests`. Its answer is a [`HostReply`].
    Exec { namespace: String, argv: Vec<String> },
    /// Ends the sandbox.
    Stop,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Told {
    Ok(Value),
    Error(String),
}

/// Asks the sandbox behind this socket.
///
/// # Errors
/// When nobody answers, or the sandbox says why it cannot.
pub async fn ask(socket: &Path, ask: &Ask) -> Result<Value> {
    let talk = async {
        let mut stream = UnixStream::connect(socket).await?;
        let mut line = serde_json::to_vec(ask)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await?;
        io::Result::Ok(text)
    };
    let text = talk.await.with_context(|| format!("ask the sandbox behind {}", socket.display()))?;
    match serde_json::from_slice(&text).context("understand the sandbox's answer")? {
        Told::Ok(value) => Ok(value),
        Told::Error(text) => Err(anyhow!(text)),
    }
}

/// Listens on the connection's control socket until the task is aborted.
///
/// # Errors
/// When the socket cannot be bound.
pub(super) fn serve(site: Arc<Site>, connection: Connection, stop: watch::Sender<bool>) -> Result<JoinHandle<()>> {
    let socket = &connection.control_socket;
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).with_context(|| format!("listen on {}", socket.display()))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("protect {}", socket.display()))?;
    let connection = Arc::new(connection);
    Ok(tokio::spawn(async move {
        let mut all = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = all.join_next() => {}
                Ok((stream, _)) = listener.accept() => {
                    let (site, connection, stop) = (Arc::clone(&site), Arc::clone(&connection), stop.clone());
                    all.spawn(async move {
                        if let Err(e) = converse(stream, &site, &connection, &stop).await {
                            tracing::debug!("a conversation on the control socket ended: {e}");
                        }
                    });
                }
            }
        }
    }))
}

async fn converse(
    mut stream: UnixStream,
    site: &Arc<Site>,
    connection: &Connection,
    stop: &watch::Sender<bool>,
) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    let mut line = String::new();
    read.read_line(&mut line).await?;
    let asked = serde_json::from_str::<Ask>(&line);
    let ending = matches!(asked, Ok(Ask::Stop));
    let told = match asked {
        Err(e) => Told::Error(format!("not a question of this sandbox: {e}")),
        Ok(asked) => tokio::select! {
            answer = answer(asked, site, connection) => answer.map_or_else(|e| Told::Error(format!("{e:#}")), Told::Ok),
            _ = read.read_u8() => return Ok(()),
        },
    };
    write.write_all(&serde_json::to_vec(&told)?).await?;
    write.shutdown().await?;
    if ending {
        stop.send_replace(true);
    }
    Ok(())
}

async fn answer(ask: Ask, site: &Arc<Site>, connection: &Connection) -> Result<Value> {
    match ask {
        Ask::Show => Ok(view::everything(site, connection).await),
        Ask::Drift(what) => Ok(json!(drift::apply(site, what).await?)),
        Ask::Faults => Ok(serde_json::to_value(site.faults.rules())?),
        Ask::SetFaults(rules) => site.faults.replace(rules).map(|()| Value::Null),
        Ask::AddFault(rule) => site.faults.add(rule).map(|()| Value::Null),
        Ask::Calls => {
            let (calls, writes) = site.faults.counts();
            Ok(json!({ "calls": calls, "writes": writes, "log": site.store.path(Faults::LOG) }))
        }
        Ask::WaitForHold => Ok(serde_json::to_value(site.faults.wait_for_hold().await)?),
        Ask::Probe(probe) => {
            let net = site.net().context("this sandbox has no network namespaces: nothing can be connected to")?;
            Ok(json!(probe::ask(&net.client, probe).await?))
        }
        Ask::Exec { namespace, argv } => {
            let net = site.net().context("this sandbox has no network namespaces")?;
            let room = match namespace.as_str() {
                "client" => &net.client,
                "edge" => &net.edge,
                "guests" => &net.guests,
                other => return Err(anyhow!("there is no namespace `{other}`: client, edge or guests")),
            };
            let limits = Limits { timeout: Duration::from_secs(120), ..Limits::default() };
            let output = room.command(argv, Bytes::new(), limits).await;
            let (stdout, stderr) = (STANDARD.encode(&output.stdout), STANDARD.encode(&output.stderr));
            Ok(serde_json::to_value(HostReply { status: output.status, stdout, stderr })?)
        }
        Ask::Stop => Ok(Value::Null),
    }
}
