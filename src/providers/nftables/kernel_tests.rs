//! Against the kernel and the `nft` of this machine, each test in a network namespace of its own.
use super::{tests::*, *};
use std::time::Instant;

/// Runs a test again as root of a user namespace, where the kernel gives one to everybody; whether it could.
pub(crate) fn runs_in_a_user_namespace(test: &str) -> bool {
    use std::process::Command;
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--"]).stdin(std::process::Stdio::null());
        command
    };
    if nix::unistd::geteuid().is_root() || !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        return false;
    }
    let output = unshare().arg(std::env::current_exe().unwrap()).args([test, "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let ran = said.lines().any(|line| line.starts_with("test result: ok. ") && !line.contains(" 0 passed"));
    assert!(output.status.success() && ran, "{test}: {said}{}", String::from_utf8_lossy(&output.stderr));
    true
}

/// Runs a test on a thread that lives in a new network namespace; commands started from it live there too, and all is
/// gone with it. Where that is not allowed the test says so and stops.
pub(crate) fn in_namespace<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Nftables) -> F + Send + 'static) {
    let skipped = std::thread::spawn(move || {
        if let Err(why) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
            return Some(format!("no network namespace here: {why}"));
        }
        if std::process::Command::new("nft").arg("--version").output().is_err() {
            return Some("no nft here".into());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(Nftables::new(Host::local())));
        None
    });
    if let Some(why) = skipped.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        && !runs_in_a_user_namespace(name)
    {
        println!("NOT RUN HERE: {name}: {why}");
    }
}

async fn nft(text: &str) {
    let output = Host::local().run(&APPLY, Bytes::copy_from_slice(text.as_bytes()), Limits::default()).await.unwrap();
    assert_eq!(output.status, 0, "{text}\n{}", output.complaint());
}

async fn shown(argv: &[&str]) -> String {
    String::from_utf8(Host::local().run(argv, Bytes::new(), Limits::default()).await.unwrap().stdout.to_vec()).unwrap()
}

async fn established(nftables: &Nftables) -> Table {
    let mut transaction = Transaction::new();
    transaction.establish(&rules()).unwrap();
    nftables.apply(&transaction).await.unwrap();
    nftables.list().await.unwrap().unwrap()
}

fn counter(guest: &str, packets: u64) -> Entry {
    let counted = Counted { packets, bytes: packets * 100 };
    let element = Element::Counter { direction: Direction::Received, guest: guest.parse().unwrap(), counted };
    Entry { element, comment: Some("g".parse().unwrap()) }
}

#[test]
fn no_table_is_an_answer_and_what_was_made_is_what_is_listed() {
    in_namespace("no_table_is_an_answer_and_what_was_made_is_what_is_listed", |nftables| async move {
        assert_eq!(nftables.list().await, Ok(None));
        let empty = established(&nftables).await;
        assert!(empty.entries.is_empty() && empty.unread.is_empty());
        assert_eq!(empty.stores, Store::all().map(|s| s.name().to_owned()).collect());
        let guarded =
            Entry { element: Element::Guarded(public(20001, Protocol::Tcp)), comment: Some("a".parse().unwrap()) };
        let allowed = |from: &str| Entry {
            element: Element::Allowed { public: public(20001, Protocol::Tcp), from: from.parse().unwrap() },
            comment: Some("a".parse().unwrap()),
        };
        let six = Entry {
            element: Element::Forward {
                public: PublicPort { address: "2001:db8:1::1".parse().unwrap(), ..public(20000, Protocol::Tcp) },
                to: Target { address: "fd00:1::5".parse().unwrap(), port: 22 },
            },
            comment: Some("a".parse().unwrap()),
        };
        let stamp = Entry { element: Element::Stamp(3), comment: Some(format!("{:128}", "x").parse().unwrap()) };
        let mut entries = block(20000, "10.0.1.5", "a");
        entries.extend([
            guarded,
            allowed("198.51.100.0/24"),
            allowed("192.0.2.7/32"),
            six,
            stamp,
            counter("10.0.1.5", 0),
        ]);
        let mut transaction = Transaction::new();
        transaction.create(&entries).unwrap();
        nftables.check(&transaction).await.unwrap();
        assert_eq!(nftables.list().await.unwrap().unwrap(), empty, "a check changes nothing");
        nftables.apply(&transaction).await.unwrap();
        let table = nftables.list().await.unwrap().unwrap();
        entries.sort();
        assert_eq!((table.entries, table.unread), (entries.clone(), vec![]));
        // again: refused as a whole; the rules again: the same
        assert_eq!(nftables.apply(&transaction).await.unwrap_err().failure.class, Class::Conflict);
        let again = established(&nftables).await;
        assert_eq!((&again.entries, &again.digest), (&entries, &empty.digest));
        let mut transaction = Transaction::new();
        transaction.delete(entries.iter().map(|e| &e.element));
        nftables.apply(&transaction).await.unwrap();
        assert_eq!(nftables.list().await.unwrap().unwrap(), empty);
    });
}

#[test]
fn a_guest_moves_in_one_transaction_and_nobody_else_notices() {
    in_namespace("a_guest_moves_in_one_transaction_and_nobody_else_notices", |nftables| async move {
        established(&nftables).await;
        let (old, new) = (block(20000, "10.0.1.5", "a"), block(20000, "10.0.1.9", "a"));
        let neighbour: Vec<Entry> = block(20010, "10.0.1.6", "b").into_iter().chain([counter("10.0.1.6", 7)]).collect();
        let mut transaction = Transaction::new();
        transaction.create(&old).unwrap().create(&neighbour).unwrap();
        nftables.apply(&transaction).await.unwrap();
        let mut transaction = Transaction::new();
        transaction.delete(old.iter().map(|e| &e.element)).create(&new).unwrap();
        nftables.apply(&transaction).await.unwrap();
        let mut expected = [new, neighbour].concat();
        expected.sort();
        assert_eq!(nftables.list().await.unwrap().unwrap().entries, expected);
        // neither new rules nor a new table take the neighbour's counter away
        assert_eq!(established(&nftables).await.entries, expected);
        let mut transaction = Transaction::new();
        transaction.rebuild(&rules()).unwrap().create(&expected).unwrap();
        nftables.apply(&transaction).await.unwrap();
        assert_eq!(nftables.list().await.unwrap().unwrap().entries, expected);
    });
}

#[test]
fn a_port_given_twice_is_laid_at_the_door_of_the_second() {
    in_namespace("a_port_given_twice_is_laid_at_the_door_of_the_second", |nftables| async move {
        established(&nftables).await;
        let mut transaction = Transaction::new();
        transaction.part(0).create(&block(20000, "10.0.1.5", "a")).unwrap();
        transaction.part(1).create(&block(20010, "10.0.1.6", "b")).unwrap();
        transaction.part(2).create(&block(20001, "10.0.1.7", "c")).unwrap();
        let refusal = nftables.apply(&transaction).await.unwrap_err();
        assert_eq!((refusal.failure.class, refusal.parts), (Class::Conflict, [2].into()));
        assert_eq!(nftables.list().await.unwrap().unwrap().entries, [], "all or nothing");
        // the same port for the same guest under another mark is a double allocation, too
        let mut transaction = Transaction::new();
        transaction.create(&block(20000, "10.0.1.5", "a")).unwrap();
        nftables.apply(&transaction).await.unwrap();
        let mut transaction = Transaction::new();
        transaction.part(4).create(&block(20000, "10.0.1.5", "other")).unwrap();
        let refusal = nftables.apply(&transaction).await.unwrap_err();
        assert_eq!((refusal.failure.class, refusal.parts), (Class::Conflict, [4].into()));
        let mut transaction = Transaction::new();
        transaction.part(5).delete(&[Element::Guarded(public(20001, Protocol::Tcp))]);
        let refusal = nftables.apply(&transaction).await.unwrap_err();
        assert_eq!((refusal.failure.class, refusal.parts), (Class::Conflict, [5].into()));
    });
}

#[test]
fn what_others_did_to_our_table_shows_and_their_tables_stay() {
    in_namespace("what_others_did_to_our_table_shows_and_their_tables_stay", |nftables| async move {
        nft("add table ip theirs\nadd chain ip theirs a { type nat hook prerouting priority -100 ; }\nadd rule ip theirs a tcp dport 20000 counter dnat to 172.17.0.2:80\nadd table inet trueup2\n").await;
        let theirs = || async { shown(&["nft", "list", "table", "ip", "theirs"]).await };
        let before = theirs().await;
        assert!(before.contains("172.17.0.2"));
        let ours = established(&nftables).await;
        for drift in [
            "add rule inet trueup host tcp dport 9999 accept",
            "flush chain inet trueup forward",
            "flush table inet trueup",
            "add chain inet trueup forward { type filter hook forward priority 0 ; policy drop ; }",
        ] {
            nft(drift).await;
            assert_ne!(nftables.list().await.unwrap().unwrap().digest, ours.digest, "{drift}");
            assert_eq!(established(&nftables).await, ours, "{drift}");
        }
        // what `establish` leaves standing is seen by name, and a new table is without it
        nft("add chain inet trueup extra\nadd set inet trueup more { type mark ; }\n").await;
        let odd = nftables.list().await.unwrap().unwrap();
        assert!(odd.chains.contains("extra") && odd.stores.contains("more"));
        let mut transaction = Transaction::new();
        transaction.rebuild(&rules()).unwrap();
        nftables.apply(&transaction).await.unwrap();
        assert_eq!(nftables.list().await.unwrap().unwrap(), ours);
        let mut transaction = Transaction::new();
        transaction.drop_table();
        nftables.apply(&transaction).await.unwrap();
        assert_eq!(nftables.list().await, Ok(None));
        assert_eq!(theirs().await, before);
    });
}

#[test]
fn forty_thousand_forwards_in_one_transaction() {
    in_namespace("forty_thousand_forwards_in_one_transaction", |nftables| async move {
        let mut transaction = Transaction::new();
        transaction.establish(&rules()).unwrap();
        let parts = crowd();
        for (number, entries) in parts.iter().enumerate() {
            transaction.part(number).create(entries).unwrap();
        }
        let started = Instant::now();
        nftables.apply(&transaction).await.unwrap();
        let loaded = started.elapsed();
        let started = Instant::now();
        let table = nftables.list().await.unwrap().unwrap();
        let listed = started.elapsed();
        let mut all = parts.concat();
        all.sort();
        assert_eq!(table.entries, all);
        let moved = block(20000, "10.0.200.1", "trueup/1 dc-lk 0");
        let mut transaction = Transaction::new();
        transaction.delete(parts[0].iter().map(|e| &e.element)).create(&moved).unwrap();
        let started = Instant::now();
        nftables.apply(&transaction).await.unwrap();
        println!(
            "40,000 forwards: loaded in {loaded:?}, listed in {listed:?}, one guest moved in {:?}",
            started.elapsed()
        );
    });
}
