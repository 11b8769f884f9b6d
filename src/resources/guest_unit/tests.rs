//! Plans of units, as tables; and the mark at their heads.
use super::{observe::split, *};
use crate::model::{DeclarationId, Deletion, Disruption, Mark, Resource};

const TIMER: &str = "[Timer]\nOnCalendar=*-*-* 02:00:00 UTC\nPersistent=true\n";
const SERVICE: &str = "[Service]\nExecStart=/opt/sync --all\nUser=xero\n";

fn key() -> UnitKey {
    "101/trueup-schedule-x".parse().unwrap()
}

fn desired() -> Desired {
    Desired {
        units: [("trueup-schedule-x.timer".into(), TIMER.into()), ("trueup-schedule-x.service".into(), SERVICE.into())]
            .into(),
        active: "trueup-schedule-x.timer".into(),
        secret: Some(SecretFile { name: "trueup-schedule-x.env".into(), of: Secret::Reference }),
        needs: vec![],
    }
}

fn live() -> Live {
    let active = vec!["trueup-schedule-x.timer".to_owned()];
    Live {
        units: desired().units,
        enabled: active.clone(),
        active,
        secrets: [("trueup-schedule-x.env".into(), SecretSeen::AsReferred)].into(),
        ..Live::default()
    }
}

fn shown(sides: Sides<'_, Desired, Live>) -> String {
    let mut out = String::new();
    for d in GuestUnit::diff(&key(), sides) {
        out += &format!("{} {}", d.verb.sign(), d.change);
        if d.disrupts != Disruption::Nothing {
            out += &format!(" ({})", d.disrupts);
        }
        for f in d.fields {
            let or_none = |v: Option<String>| v.unwrap_or_else(|| "-".into());
            out += &format!("\n    {}: {} -> {}", f.name, or_none(f.from), or_none(f.to));
        }
        if let Change::Install { restart: true, .. } = d.change {
            out += "\n    [restart]";
        }
    }
    if out.is_empty() { "nothing".into() } else { out }
}

fn both(live: &Live) -> String {
    shown(Sides::Both { desired: &desired(), live, stale_mark: false })
}

#[test]
fn keys_round_trip() {
    assert_eq!(key().to_string().parse(), Ok(key()));
    for wrong in ["101", "101/sshd", "x/trueup-a", "101/trueup-a/b", "101/trueup-../x"] {
        assert!(wrong.parse::<UnitKey>().is_err(), "{wrong}");
    }
}

#[test]
fn what_is_as_it_should_be_is_left_alone_whatever_its_runs_were() {
    assert_eq!(both(&live()), "nothing");
    let failed = Live { run: Run { last: "Sat 02:00".into(), result: "exit-code".into(), ..Run::default() }, ..live() };
    assert_eq!(both(&failed), "nothing");
    insta::assert_snapshot!(GuestUnit::remark(&desired(), &failed).unwrap(), @"the last run failed (exit-code) at Sat 02:00");
}

#[test]
fn each_difference_is_repaired() {
    insta::assert_snapshot!(shown(Sides::OnlyDesired(&desired())), @"
    + write trueup-schedule-x.service, trueup-schedule-x.timer, trueup-schedule-x.env; activate trueup-schedule-x.timer
        ExecStart: - -> /opt/sync --all
        User: - -> xero
        OnCalendar: - -> *-*-* 02:00:00 UTC
        Persistent: - -> true
        trueup-schedule-x.env: - -> as referred to
    ");
    let mut changed = live();
    changed.units.insert("trueup-schedule-x.timer".into(), TIMER.replace("02:00", "03:00"));
    insta::assert_snapshot!(both(&changed), @"
    ~ write trueup-schedule-x.timer; activate trueup-schedule-x.timer
        OnCalendar: *-*-* 03:00:00 UTC -> *-*-* 02:00:00 UTC
        [restart]
    ");
    let mut changed = live();
    changed.units.insert("trueup-schedule-x.service".into(), SERVICE.replace("User=xero\n", "Nice=5\n"));
    insta::assert_snapshot!(both(&changed), @"
    ~ write trueup-schedule-x.service; activate trueup-schedule-x.timer
        User: - -> xero
        Nice: 5 -> -
    ");
    let open = Live { secrets: [("trueup-schedule-x.env".into(), SecretSeen::Open)].into(), ..live() };
    insta::assert_snapshot!(both(&open), @"
    ~ write trueup-schedule-x.env; activate trueup-schedule-x.timer
        trueup-schedule-x.env: - -> as referred to
    ");
    insta::assert_snapshot!(both(&Live { active: vec![], ..live() }), @"
    ~ activate trueup-schedule-x.timer
        trueup-schedule-x.timer: inactive -> active
    ");
    insta::assert_snapshot!(both(&Live { enabled: vec![], ..live() }), @"
    ~ activate trueup-schedule-x.timer
        trueup-schedule-x.timer: disabled -> enabled
    ");
    insta::assert_snapshot!(both(&Live { reload_due: true, ..live() }), @"~ activate trueup-schedule-x.timer");
    let unknown = SecretSeen::Unknown("could not read the file x".into());
    let unknown = Live { secrets: [("trueup-schedule-x.env".into(), unknown)].into(), ..live() };
    assert_eq!(both(&unknown), "nothing", "what cannot be compared is not overwritten");
    insta::assert_snapshot!(shown(Sides::OnlyLive(&live())), @"- stop and remove (an interruption)");
}

#[test]
fn a_connector_follows_its_tunnel() {
    let name = "trueup-tunnel-x.service".to_owned();
    let tunnel = |id: &str| SecretSeen::TunnelToken { tunnel: id.into() };
    let desired = Desired {
        units: [(name.clone(), "[Service]\nType=notify\n".into())].into(),
        active: name.clone(),
        secret: Some(SecretFile {
            name: "trueup-tunnel-x.token".into(),
            of: Secret::TunnelToken { tunnel: "new".into() },
        }),
        needs: vec![],
    };
    let live = |secret| Live {
        units: desired.units.clone(),
        enabled: vec![name.clone()],
        active: vec![name.clone()],
        secrets: [("trueup-tunnel-x.token".into(), secret)].into(),
        ..Live::default()
    };
    let of = |live: &Live| shown(Sides::Both { desired: &desired, live, stale_mark: false });
    assert_eq!(of(&live(tunnel("new"))), "nothing");
    insta::assert_snapshot!(of(&live(tunnel("old"))), @"
    ~ write trueup-tunnel-x.token; activate trueup-tunnel-x.service (a restart)
        trueup-tunnel-x.token: - -> token of tunnel new
        [restart]
    ");
}

#[test]
fn the_mark_is_the_first_line() {
    let mark = Mark {
        site: "nz".into(),
        uid: "abcdefghijklmnop".parse().unwrap(),
        serves: Some("ponmlkjihgfedcba".parse().unwrap()),
        deletion: Deletion::Delete,
        declared: Some(DeclarationId::new("SyncSchedule", "x")),
    };
    let text = observe::marked(&mark, TIMER);
    insta::assert_snapshot!(text, @"
    # trueup site=nz declared=SyncSchedule/x uid=abcdefghijklmnop serves=ponmlkjihgfedcba deletion=delete
    [Timer]
    OnCalendar=*-*-* 02:00:00 UTC
    Persistent=true
    ");
    assert_eq!(split(&text), (Some(mark), TIMER));
    assert_eq!(split(TIMER), (None, TIMER));
}
