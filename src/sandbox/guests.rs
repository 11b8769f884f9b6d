//! The running guests as the network sees them: each has its addresses and something answers there.
use super::{authority, net::Net};
use anyhow::Result;
use ipnet::IpNet;
use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Mutex,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

/// A running guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inhabitant {
    pub vmid: u32,
    pub name: String,
    pub addresses: Vec<IpNet>,
    /// Its root directory, where its certificate is kept.
    pub root: PathBuf,
}

/// Those that are up in the guests' namespace.
pub struct Street {
    net: Arc<Net>,
    /// At how many addresses guests may answer.
    most: usize,
    up: Mutex<BTreeMap<IpAddr, House>>,
}

/// What answers at one address.
struct House {
    of: Inhabitant,
    address: IpNet,
    task: JoinHandle<()>,
}

impl Street {
    /// In the guests' namespace of `net`, with room for `most` addresses.
    pub fn new(net: Arc<Net>, most: usize) -> Self {
        Self { net, most, up: Mutex::default() }
    }

    /// Makes the namespace hold exactly these guests. An address that two of them claim is the first one's.
    ///
    /// # Errors
    /// When the kernel refuses an address or a port.
    pub async fn settle(&self, guests: &[Inhabitant]) -> Result<()> {
        let mut wanted: BTreeMap<IpAddr, (&Inhabitant, IpNet)> = BTreeMap::new();
        for guest in guests {
            for address in &guest.addresses {
                wanted.entry(address.addr()).or_insert((guest, *address));
            }
        }
        let mut up = self.up.lock().await;
        if wanted.len() > self.most {
            let without = wanted.len() - self.most;
            tracing::error!(
                "nothing answers at {without} addresses of guests: too many open files would be needed (ulimit -n)"
            );
            wanted = wanted.into_iter().take(self.most).collect();
        }
        let stays = |house: &House| {
            wanted.get(&house.address.addr()).is_some_and(|(g, a)| **g == house.of && *a == house.address)
        };
        let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut *up).into_iter().partition(|(_, h)| stays(h));
        *up = kept;
        for house in gone.values() {
            house.task.abort();
        }
        let lines = gone.values().map(|house| format!("addr del {} dev eth0", house.address));
        self.net.guests.ip(lines.collect()).await?;
        let new: Vec<_> = wanted.values().filter(|(_, a)| !up.contains_key(&a.addr())).copied().collect();
        // All at once; where one of them is refused, each for itself below says which.
        let together = new.iter().map(|(_, address)| claim(address)).collect();
        if let Err(e) = self.net.guests.ip(together).await {
            tracing::debug!("not all addresses could be made: {e:#}");
        }
        for (guest, address) in new {
            // One guest that cannot be reached does not keep the others from it.
            match self.open(guest, address).await {
                Ok(house) => _ = up.insert(address.addr(), house),
                Err(e) => tracing::error!("guest {} does not answer at {address}: {e:#}", guest.vmid),
            }
        }
        Ok(())
    }

    async fn open(&self, guest: &Inhabitant, address: IpNet) -> Result<House> {
        let tls = TlsAcceptor::from(authority::server_of(&certificate(guest)?)?);
        let of = guest.clone();
        let first = tls.clone();
        let bound = match self.net.guests.run(async move { bind(&of, address.addr(), first).await }).await? {
            Ok(bound) => bound,
            Err(_) => {
                self.net.guests.ip(vec![claim(&address)]).await?;
                let of = guest.clone();
                self.net.guests.run(async move { bind(&of, address.addr(), tls).await }).await??
            }
        };
        let task = self.net.guests.spawn(async move { _ = bound.join_all().await });
        Ok(House { of: guest.clone(), address, task })
    }
}

/// IPv6 addresses count at once, without the second in which the kernel looks for others that have them.
fn claim(address: &IpNet) -> String {
    let six = if address.addr().is_ipv6() { " nodad" } else { "" };
    format!("addr replace {address} dev eth0 noprefixroute{six}")
}

/// The guest's own certificate. It lies inside the guest, so that it goes when the guest goes.
fn certificate(guest: &Inhabitant) -> Result<String> {
    let path: &Path = &guest.root.join("etc/ssl/private/guest.pem");
    if let Ok(pem) = fs::read_to_string(path) {
        return Ok(pem);
    }
    let names = [format!("{}.guest.test", guest.name.to_ascii_lowercase()), format!("vmid-{}.guest.test", guest.vmid)];
    let pem = authority::self_signed(&guest.name, &names)?;
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, &pem)?;
    Ok(pem)
}

async fn bind(guest: &Inhabitant, address: IpAddr, tls: TlsAcceptor) -> Result<JoinSet<()>> {
    let (name, vmid) = (guest.name.clone(), guest.vmid);
    let listen = |port| TcpListener::bind(SocketAddr::new(address, port));
    let (ssh, https, tcp) = (listen(22).await?, listen(443).await?, listen(10001).await?);
    let udp = UdpSocket::bind(SocketAddr::new(address, 10005)).await?;
    let mut all = JoinSet::new();
    let banner = format!("SSH-2.0-trueup_sandbox guest={name} vmid={vmid}\r\n");
    all.spawn(serve(ssh, move |mut stream| {
        let banner = banner.clone();
        async move {
            if stream.write_all(banner.as_bytes()).await.is_ok() {
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            }
        }
    }));
    let line = format!("guest={name} vmid={vmid}\n");
    let page = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{line}", line.len());
    all.spawn(serve(https, move |stream| {
        let (tls, page) = (tls.clone(), page.clone());
        async move {
            let Ok(mut stream) = tls.accept(stream).await else { return };
            let mut buffer = [0; 4096];
            if stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                let _ = stream.write_all(page.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        }
    }));
    let said = line.clone();
    all.spawn(serve(tcp, move |mut stream| {
        let said = said.clone();
        async move {
            if stream.write_all(said.as_bytes()).await.is_ok() {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            }
        }
    }));
    all.spawn(async move {
        let mut buffer = vec![0; 2048];
        while let Ok((n, from)) = udp.recv_from(&mut buffer).await {
            let answer = [line.as_bytes(), &buffer[..n]].concat();
            let _ = udp.send_to(&answer, from).await;
        }
    });
    Ok(all)
}

/// Accepts for ever; each connection ends with the listener.
async fn serve<F: Future<Output = ()> + Send + 'static>(listener: TcpListener, each: impl Fn(TcpStream) -> F) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => _ = connections.spawn(each(stream)),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            },
        }
    }
}
