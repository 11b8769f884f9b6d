//! Order: what is needed is built first, what uses something is removed first.
use super::table::{plan, table, words};

#[test]
fn building() {
    table(
        "
        wanted                                     | live                     | plan
        door/1 b 10 needs=room/1 ; room/1 a 10     | -                        | + room/1; + door/1 after room/1
        door/1 b 10 needs=room/1 ; room/1 a 10     | room/1 a 10              | + door/1; same room 1
        door/1 b 10 needs=room/1 ; room/1 a 10     | room/1 a 110             | - room/1; + room/1#1; + door/1 after room/1 room/1#1
        door/1 b 10 needs=room/1                   | -                        | + door/1 blocked
        door/1 b 10 needs=room/1                   | room/1 foreign 10        | + door/1 blocked
        door/1 b 10 needs=room/1                   | room/1 a 10 retain       | + door/1; orphan room/1
        door/1 b 10 needs=room/1 ; room/1 a 10     | room/1 foreign 10        | + door/1 blocked; conflict room/1
        door/1 b 10 needs=room/1 ; room/1 a 10     | room/1 c 10              | + door/1 blocked; conflict room/1
        door/1 b 10 needs=room/1 ; room/1 a 10     | room blind               | + door/1 blocked; unseen room
        door/1 b 10 needs=room/1 ; room/1 a 10     | room blind ; door/1 b 11 | ~ door/1; unseen room
        door/1 b 10 needs=room/1 ; room/1 a 10 observe | -                    | + room/1 withheld; + door/1 after room/1
        door/1 b 10 needs=door/1                   | -                        | + door/1
        ",
    );
}

#[test]
fn removing() {
    table(
        "
        wanted                    | live                                            | plan
        -                         | room/1 a 10 ; door/1 b 10 uses=room/1           | - door/1; - room/1 after door/1
        -                         | room/1 a 10 ; door/1 b 10 uses=room/1 ; door/2 c 10 uses=room/1 | - door/1; - door/2; - room/1 after door/1 door/2
        -                         | room/1 a 10 ; door/1 b 10 uses=room/1 retain    | - room/1 blocked; orphan door/1
        -                         | room/1 a 10 ; door/1 b 10 uses=room/1 forbid    | - room/1 blocked; conflict door/1
        door/1 b 10               | room/1 a 10 ; door/1 b 10 uses=room/1           | ~ door/1; - room/1 after door/1
        door/1 b 10 observe       | room/1 a 10 ; door/1 b 10 uses=room/1           | ~ door/1 withheld; - room/1 after door/1
        door/1 b 10 paused        | room/1 a 10 ; door/1 b 10 uses=room/1           | - room/1 blocked
        door/1 waits gem/1        | room/1 a 10 ; door/1 b 10 uses=room/1           | - room/1 blocked; later door/1 on gem/1
        -                         | room/1 a 10 ; door/1 foreign 10 uses=room/1     | - room/1
        -                         | room/1 a 10 ; door blind                        | - room/1 blocked; unseen door
        -                         | room/1 a 10 uses=room/1                         | - room/1
        ",
    );
}

/// Two doors that swap two replaced rooms would wait for each other if a replacement waited for its users.
#[test]
fn a_replacement_does_not_wait_for_its_users() {
    table(
        "
        wanted | live | plan
        room/1 a 110 ; room/2 b 110 ; door/1 c 10 needs=room/2 ; door/2 d 10 needs=room/1 | room/1 a 10 ; room/2 b 10 ; door/1 c 10 uses=room/1 ; door/2 d 10 uses=room/2 | - room/1; + room/1#1; - room/2; + room/2#1; ~ door/1 after room/2 room/2#1; ~ door/2 after room/1 room/1#1
        ",
    );
}

/// Whoever goes on needing what nobody wants any more would wait for its removal, and that for them.
#[test]
fn needing_what_goes_is_blocked_and_not_a_cycle() {
    table(
        "
        wanted                     | live                                    | plan
        door/1 b 11 needs=room/1   | room/1 a 10 ; door/1 b 10 uses=room/1   | ~ door/1 blocked; - room/1 after door/1
        door/1 b 11 needs=room/1 ; gem/1 c 10 | room/1 a 10                  | - room/1; + door/1 blocked; + gem/1
        ",
    );
}

#[test]
fn what_blocks_is_said() {
    let plan = plan(
        "door/1 b 10 needs=room/9; door/2 c 10 needs=room/2; door/3 d 10 needs=room/3",
        "room/2 foreign 10; room/3 e 10; room/4 f 10; door/4 g 10 uses=room/4 retain",
    );
    insta::assert_snapshot!(words(&plan), @r"
        - room/3#0 gone
        - room/4#0 gone: door/4 still uses it
        + door/1#0 size 10: it needs room/9, which is not there
        + door/2#0 size 10: it needs room/2, which is not there
        + door/3#0 size 10: it needs room/3, which no manifest wants
        door/4: no manifest wants it; kept (policy retain); to have it removed, bring the manifest back with `trueup/deletion: delete`, reconcile, and remove it again
    ");
}
