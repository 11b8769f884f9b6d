//! `trueup import`
use crate::environment::{Environment, SITE, events, guest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use trueup::sandbox::{
    proxmox::{Kind, Release, SeedGuest},
    seed::Seed,
    serve::{NetMode, Options, Running, serve},
};

/// A sandbox in this process with these guests, for the program in its own.
fn serving(environment: &Environment, guests: Vec<SeedGuest>) -> (tokio::runtime::Runtime, Running) {
    serving_as(environment, Release::V9_2_11, guests)
}

fn serving_as(
    environment: &Environment,
    release: Release,
    guests: Vec<SeedGuest>,
) -> (tokio::runtime::Runtime, Running) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut seed = Seed::default();
    (seed.proxmox.version, seed.proxmox.guests) = (release, guests);
    let options = Options { net: NetMode::Simulated, fast: true, seed, ..Options::new(environment.path("sandbox")) };
    let running = runtime.block_on(serve(options)).unwrap();
    (runtime, running)
}

fn configs(running: &Running) -> BTreeMap<String, Value> {
    let state = serde_json::to_value(running.site().proxmox.snapshot()).unwrap();
    let guests = state["guests"].as_object().unwrap();
    guests.iter().map(|(vmid, guest)| (vmid.clone(), guest["conf"].clone())).collect()
}

/// The nth of 200 guests: every third one is a virtual machine.
fn odd(n: usize) -> SeedGuest {
    if n % 3 == 2 { odd_machine(n) } else { odd_container(n) }
}

/// Each setting is taken from a row of spellings of a length of its own, so that they meet in many ways.
fn odd_container(n: usize) -> SeedGuest {
    let vmid = 100 + u32::try_from(n).unwrap() * 7;
    let of = |row: &[&'static str]| row[n % row.len()];
    let hostnames = ["web{}", "WEB-{}", "db{}.acme.test", "1{}", "CT{}", "a.b.c{}", "Xero--Sync{}"];
    let mut config: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            config.insert(key.into(), value.replace("{vmid}", &vmid.to_string()).replace("{}", &n.to_string()));
        }
    };
    put("hostname", of(&hostnames));
    put("ostype", of(&["debian", "alpine", "unmanaged"]));
    put("arch", of(&["amd64", "arm64"]));
    put("memory", of(&["512", "1024", "16", "+128", "", "4096", "230"]));
    put("swap", of(&["512", "", "0", "1"]));
    put("cores", of(&["2", "", "1", "128", "8"]));
    put("cpulimit", of(&["", ".5", "1.50", "1e0"]));
    put("unprivileged", of(&["1", "", "0"]));
    put(
        "rootfs",
        of(&[
            "local:{vmid}/vm-{vmid}-disk-0.raw,size=8G",
            "local-zfs:subvol-{vmid}-disk-0,size=1536M",
            "local:{vmid}/vm-{vmid}-disk-0.raw,size=2162689K",
            "local:{vmid}/vm-{vmid}-disk-0.raw,size=2147483649",
            "size=1T,volume=local:{vmid}/vm-{vmid}-disk-0.raw",
            "local:{vmid}/vm-{vmid}-disk-0.raw,acl=1,mountoptions=noatime;discard,quota=0,replicate=0,size=4G",
        ]),
    );
    let mac = format!("BC:24:11:00:{:02X}:{:02X}", n / 256, n % 256);
    let lower = mac.to_lowercase();
    let address = format!("10.0.1.{}/24", 2 + n);
    let net0 = [
        format!("name=eth0,bridge=vmbr1,firewall=1,gw=10.0.1.1,hwaddr={mac},ip={address},type=veth"),
        format!("type=veth,ip={address},hwaddr={lower},bridge=vmbr1,name=eth0,firewall=0"),
        format!("name=eth0,bridge=vmbr1,hwaddr={mac},ip=dhcp,ip6=auto,link_down=0,rate=12.50,type=veth"),
        format!(
            "name=ens18,bridge=vmbr1,hwaddr={lower},ip6=FD00:0001:0::{n:x}/64,gw6=FD00:1::FFFF,mtu=1400,tag=7,type=veth"
        ),
        format!("bridge=vmbr0,gw=192.168.0.1,hwaddr={mac},ip={address},name=eth0"),
        format!("name=eth0,bridge=vmbr0,gw=203.0.113.1,hwaddr={mac},ip=198.51.100.{}/32,trunks=8;9,type=veth", 2 + n),
        format!("name=eth0,bridge=vmbr1,hwaddr={mac},ip=manual,type=veth"),
    ];
    put("net0", &net0[n % net0.len()]);
    if n % 4 == 1 {
        // After net0 comes net3.
        put("net3", &format!("name=eth1,bridge=vmbr0,hwaddr=BC:24:12:00:{:02X}:{:02X},type=veth", n / 256, n % 256));
    }
    put("nameserver", of(&["", "10.0.1.1", "10.0.1.1 1.1.1.1", "1.1.1.1,FD00::1;9.9.9.9", " ", "host"]));
    put("searchdomain", of(&["", "acme.test", "Acme.Test", "acme.test corp.test"]));
    put("features", of(&["", "nesting=1", " ", "nesting=yes", "nesting=0", "keyctl=1,nesting=1", "fuse=0,nesting=on"]));
    put("startup", of(&["", "9", "order=1", "up=3,order=2", "order=05,down=20"]));
    put("onboot", of(&["", "1", "0"]));
    put("protection", of(&["", "0", "1", "", ""]));
    put("tags", of(&["", " ", "a;b", "B,a", "9x;_x", "prod env-a"]));
    put("description", of(&["", "made by hand\n", "100% %41 ü\n", "\n", "# h\n\n<!-- uid: 01J -->\n"]));
    put(
        "mp0",
        of(&[
            "",
            "local:{vmid}/vm-{vmid}-disk-1.raw,mp=data,size=102M",
            "local:{vmid}/vm-{vmid}-disk-1.raw,mp=/data//x/,backup=1,ro=0,size=1G",
            "/srv/media,mp=/media",
            "",
        ]),
    );
    put("mp7", of(&["", "", "local:{vmid}/vm-{vmid}-disk-2.raw,mp=/var/lib/x y,mountoptions=noexec,size=3G"]));
    put("timezone", of(&["", "host", "Europe/Prague"]));
    put("tty", of(&["", "2"]));
    put("cmode", of(&["", "shell", "", ""]));
    put("console", of(&["", "0"]));
    let config = serde_json::from_value(json!(config)).unwrap();
    SeedGuest { vmid, kind: Kind::Lxc, node: None, running: !n.is_multiple_of(3), config }
}

/// As [`odd_container`], of what only machines have.
fn odd_machine(n: usize) -> SeedGuest {
    let vmid = 100 + u32::try_from(n).unwrap() * 7;
    let of = |row: &[&'static str]| row[n % row.len()];
    let mut config: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            let mac = format!("{:02X}:{:02X}", n / 256, n % 256);
            let value = value.replace("{vmid}", &vmid.to_string()).replace("{mac}", &mac);
            config.insert(key.into(), value.replace("{}", &n.to_string()).replace("{last}", &(2 + n).to_string()));
        }
    };
    put("name", of(&["vm{}", "VM-{}", "db{}.acme.test", "", "1{}"]));
    put("memory", of(&["2048", "512", "", "current=4096", "16"]));
    put("balloon", of(&["", "0", "256", "", "8192", "16", ""]));
    put("cores", of(&["2", "", "1", "128", "200"]));
    put("sockets", of(&["", "1", "2", "04"]));
    put("cpu", of(&["", "host", "cputype=host,flags=+aes", "x86-64-v2-AES", "custom-odd", "host,hidden=1"]));
    put("cpulimit", of(&["", ".5", "1.50", "0", "1e0"]));
    put("cpuunits", of(&["", "100", "200000"]));
    put("agent", of(&["", "1", "enabled=1,fstrim_cloned_disks=1", "0", "1,type=isa", "enabled=yes"]));
    put("bios", of(&["", "ovmf", "seabios"]));
    put(
        "efidisk0",
        of(&[
            "",
            "local:{vmid}/vm-{vmid}-disk-8.raw,efitype=4m,pre-enrolled-keys=1,size=528K",
            "local:{vmid}/vm-{vmid}-disk-8.raw,size=128K",
            "",
            "local:{vmid}/vm-{vmid}-disk-8.raw,efitype=4m,size=528K",
        ]),
    );
    put("tpmstate0", of(&["", "", "local:{vmid}/vm-{vmid}-disk-9.raw,size=4M,version=v2.0"]));
    put("machine", of(&["", "q35", "pc-i440fx-9.2", "type=q35,viommu=intel", "pc-q35-9.2+pve1"]));
    put("scsihw", of(&["", "virtio-scsi-single", "lsi", "virtio-scsi-pci"]));
    put("ostype", of(&["l26", "win11", "", "other"]));
    put("vga", of(&["", "std", "type=qxl,memory=32", "serial0", "memory=64", "none"]));
    put("serial0", of(&["", "socket", "/dev/ttyS0"]));
    put("boot", of(&["", "order=scsi0", "order=scsi0;ide2;net0", "cdn", "order=net0;hostpci0"]));
    put(
        "scsi0",
        of(&[
            "local:{vmid}/vm-{vmid}-disk-0.raw,size=8G",
            "local-zfs:vm-{vmid}-disk-0,discard=on,iothread=1,size=32G,ssd=1",
            "",
            "local:{vmid}/vm-{vmid}-disk-0.qcow2,cache=writeback,discard=ignore,size=2252M",
            "size=1T,file=local:{vmid}/vm-{vmid}-disk-0.raw,backup=no",
            "local:{vmid}/vm-{vmid}-disk-0.raw,aio=native,mbps_rd=50,replicate=0,size=2147483649",
        ]),
    );
    put("virtio1", of(&["", "local:{vmid}/vm-{vmid}-disk-1.raw,cache=none,size=1536M", "/dev/sdb,size=100G", ""]));
    put("sata5", of(&["", "", "local:{vmid}/vm-{vmid}-disk-2.raw,media=disk,size=4G", "none,media=cdrom", ""]));
    put("ide0", of(&["", "local:iso/debian-13.iso,media=cdrom,size=700M", ""]));
    put("unused0", of(&["", "", "", "", "local:{vmid}/vm-{vmid}-disk-3.raw"]));
    // A drive of cloud-init, at several places or at none, and what it carries; without it the same is left.
    let drive = of(&["ide2", "", "scsi9", "sata0", "ide2", ""]);
    if !drive.is_empty() {
        put(
            drive,
            of(&[
                "local:{vmid}/vm-{vmid}-cloudinit.qcow2,media=cdrom",
                "local-zfs:vm-{vmid}-cloudinit,media=cdrom,size=4M",
            ]),
        );
    }
    put("ciuser", of(&["", "ops", "an odd one"]));
    put("ciupgrade", of(&["", "0", "1", ""]));
    put("citype", of(&["", "", "nocloud", "configdrive2"]));
    put("cipassword", of(&["", "$5$a$b"]));
    put("cicustom", of(&["", "", "vendor=local:snippets/v.yaml,user=local:snippets/u.yaml", "", "meta=local:iso/m"]));
    put("sshkeys", of(&["", "ssh-ed25519%20AAAA%20ops", ""]));
    put("nameserver", of(&["", "10.0.1.1", "1.1.1.1,FD00::1;9.9.9.9", "host"]));
    put("searchdomain", of(&["", "acme.test", "Acme.Test"]));
    put(
        "ipconfig0",
        of(&[
            "",
            "ip=dhcp",
            "gw=10.0.1.1,ip=10.0.1.{last}/24",
            "ip=dhcp,ip6=auto",
            "ip6=FD00:1:0::{last}/64,gw6=FD00:1::FFFF",
            "gw=10.9.9.9,ip=10.0.1.{last}/24",
        ]),
    );
    put("ipconfig7", of(&["", "", "", "ip=dhcp"]));
    put(
        "net0",
        of(&[
            "virtio=BC:24:13:00:{mac},bridge=vmbr1,firewall=1",
            "virtio=bc:24:13:00:{mac},bridge=vmbr1,firewall=0,queues=4,trunks=5;6",
            "model=e1000,macaddr=BC:24:13:00:{mac},bridge=vmbr0,link_down=1",
            "rtl8139=BC:24:13:00:{mac},bridge=vmbr1,rate=12.50,tag=7",
            "virtio=BC:24:13:00:{mac},bridge=vmbr1,mtu=1",
            "",
            "virtio=BC:24:13:00:{mac}",
        ]),
    );
    put(
        "net5",
        of(&["", "", "ne2k_pci=BC:24:14:00:{mac},bridge=vmbr0", "", "e1000e=BC:24:14:00:{mac},bridge=vmbr0", ""]),
    );
    put("startup", of(&["", "9", "up=3,order=2", "order=05,down=20"]));
    put("onboot", of(&["", "1", "0"]));
    put("protection", of(&["", "0", "1", ""]));
    put("tags", of(&["", " ", "a;b", "B,a", "9x;_x"]));
    put("description", of(&["", "made by hand\n", "100% %41 ü\n", "# h\n\n<!-- uid: 01J -->\n"]));
    put("smbios1", of(&["uuid=1f0f7a5e-4f1c-4dbb-8a0e-2f5c8b1f0001", "base64=1,serial=YQ==", ""]));
    put("numa", of(&["", "0", "1"]));
    put("hotplug", of(&["", "network,disk", "0"]));
    put("tablet", of(&["", "0"]));
    put("args", of(&["", "", "", "", "", "-cpu host"]));
    put("hostpci0", of(&["", "", "", "0000:01:00.0,pcie=1"]));
    put("rng0", of(&["", "source=/dev/urandom", ""]));
    put("vmgenid", "8c0b4ab5-0000-4000-8000-000000000001");
    let config = serde_json::from_value(json!(config)).unwrap();
    SeedGuest { vmid, kind: Kind::Qemu, node: None, running: !n.is_multiple_of(4), config }
}

#[test]
fn two_hundred_guests_with_odd_spellings_are_adopted_by_their_marks_alone() {
    adopted_by_marks_alone(Release::V9_2_11);
}

#[test]
fn two_hundred_guests_of_proxmox_8_are_adopted_by_their_marks_alone() {
    adopted_by_marks_alone(Release::V8_4_21);
}

fn adopted_by_marks_alone(release: Release) {
    let environment = Environment::new();
    // The Site alone: everything else that a pass could write is the guests'.
    environment.write("manifests/site.yaml", SITE.split("---\n").next().unwrap());
    let (runtime, running) = serving_as(&environment, release, (0..200).map(odd).collect());
    let writes = || running.site().faults.counts().1;
    let before = configs(&running);
    let ran = environment.run(&["import", "--all", "--into", "manifests/guests", "--sandbox", "sandbox"]);
    assert!(ran.code == 0 && !ran.stderr.contains("not imported"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!((writes(), configs(&running)), (0, before.clone()), "an import writes nothing to the site");
    assert_eq!(std::fs::read_dir(environment.path("manifests/guests")).unwrap().count(), 200);
    for command in [&["check"][..], &["lock", "--check"]] {
        let ran = environment.run(command);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }

    let ran = environment.reconcile(&["--output", "json"]);
    let events = events(&ran.stdout);
    let steps = |name: &str| events.iter().filter(|e| e["event"] == name).cloned().collect::<Vec<_>>();
    let plan = steps("plan").remove(0);
    let guests: Vec<&Value> = plan["plan"]["steps"].as_array().unwrap().iter().collect();
    let other: Vec<&&Value> = guests.iter().filter(|step| step["verb"] != "adopt").collect();
    assert!(other.is_empty(), "{other:#?}");
    assert_eq!((ran.code, guests.len()), (0, 200), "{}", ran.stderr);
    assert_eq!(writes(), 200, "one write for each mark");
    for (vmid, mut is) in configs(&running) {
        let mut was = before[&vmid].clone();
        for config in [&mut is, &mut was] {
            config.as_object_mut().unwrap().retain(|key, _| key != "description" && key != "tags");
        }
        assert_eq!(is, was, "{vmid}: something else was written");
    }
    let ran = environment.reconcile(&[]);
    assert!(ran.code == 0 && ran.stdout.contains("No changes; 200 unchanged"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(writes(), 200, "the second pass writes nothing");
    runtime.block_on(running.stop()).unwrap();
}

fn plain(vmid: u32, hostname: &str, more: &[(&str, &str)]) -> SeedGuest {
    let base = [("hostname", hostname), ("unprivileged", "1"), ("rootfs", "local:x/d.raw,size=8G"), ("memory", "512")];
    let config: BTreeMap<&str, &str> = base.iter().chain(more).copied().collect();
    SeedGuest {
        vmid,
        kind: Kind::Lxc,
        node: None,
        running: true,
        config: serde_json::from_value(json!(config)).unwrap(),
    }
}

#[test]
fn without_a_directory_manifests_are_printed_and_nothing_is_written() {
    let environment = Environment::new();
    environment.write("manifests/site.yaml", SITE);
    let guests =
        vec![plain(201, "one", &[("tags", "Blue")]), plain(202, "two", &[]), plain(203, "two", &[("tags", "blue")])];
    let (runtime, running) = serving(&environment, guests);
    let before = environment.everything_in("manifests");
    let ran = environment.run(&["import", "--tag", "blue", "--sandbox", "sandbox"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r#"
    # Container 201 on pve1, as it was when it was imported.
    # What it was made from is not known. To be able to make it anew, add `template:`; until then keep the annotation.
    apiVersion: trueup/v1alpha1
    kind: Container
    metadata:
      name: one
      annotations: { trueup/adopt: "201" }
    spec:
      vmid: 201
      unprivileged: true
      memory: 512MiB
      rootfs: { storage: local, size: 8GiB }
      tags: [blue]
    ---
    # Container 203 on pve1, as it was when it was imported.
    # What it was made from is not known. To be able to make it anew, add `template:`; until then keep the annotation.
    apiVersion: trueup/v1alpha1
    kind: Container
    metadata:
      name: two
      annotations: { trueup/adopt: "203" }
    spec:
      vmid: 203
      unprivileged: true
      memory: 512MiB
      rootfs: { storage: local, size: 8GiB }
      tags: [blue]
    "#);
    assert_eq!(environment.everything_in("manifests"), before);
    // What cannot be taken is named, and the rest is taken.
    let ran = environment.run(&["import", "--vmid", "201,999", "202", "203", "--sandbox", "sandbox"]);
    assert_eq!(ran.code, 4);
    assert_eq!(ran.stdout.matches("kind: Container").count(), 2, "{}", ran.stdout);
    assert!(
        ran.stderr.contains("guest 203 (two) is not imported: its manifest would be refused: the hostname `two`"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("guest 999 is not imported: there is no such guest"), "{}", ran.stderr);
    // Nothing chosen is wrong usage.
    assert_eq!(environment.run(&["import", "--sandbox", "sandbox"]).code, 1);
    runtime.block_on(running.stop()).unwrap();
}

#[test]
fn files_that_are_there_stay_and_guests_that_are_named_are_left_out() {
    let environment = Environment::with_site();
    environment.write("manifests/web.yaml", &guest("web", 5));
    let (runtime, running) = serving(&environment, vec![plain(201, "One", &[]), plain(202, "two", &[])]);
    assert_eq!(environment.run(&["lock", "--offline"]).code, 0);
    let locked = environment.read("manifests/trueup.lock");
    environment.write("manifests/two.yaml", "# a note\n");
    let into = |directory| environment.run(&["import", "--all", "--into", directory, "--sandbox", "sandbox"]);
    let ran = into("manifests");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("manifests/two.yaml: the file is there already"), "{}", ran.stderr);
    assert!(!environment.path("manifests/one.yaml").exists(), "all or nothing");
    for elsewhere in ["elsewhere", "manifests/../elsewhere", "manifests/.hidden"] {
        let ran = into(elsewhere);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.contains("nobody would read them there"), "{}", ran.stderr);
    }
    assert_eq!(environment.read("manifests/trueup.lock"), locked);

    let ran = into("manifests/taken");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let lock = environment.read("manifests/trueup.lock");
    assert!(lock.contains("  Container/one: { uid: ") && lock.contains(", vmid: 201 }"), "{lock}");
    // What was locked before is as it was.
    assert!(locked.lines().filter(|line| line.starts_with("  ")).all(|line| lock.contains(line)), "{lock}");
    assert!(environment.read("manifests/taken/one.yaml").contains("hostname: One"));
    let ran = into("manifests/taken");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("there is nothing to import"), "{}", ran.stderr);
    let ran = environment.run(&["import", "--vmid", "201", "--sandbox", "sandbox"]);
    assert!(ran.code == 1 && ran.stderr.contains("a manifest names it already"), "{}", ran.stderr);
    let ran = environment.run(&["coverage", "--sandbox", "sandbox"]);
    assert!(ran.stdout.contains("guests: manifests name all 2"), "{}", ran.stdout);
    runtime.block_on(running.stop()).unwrap();
}
