//! The checker of histories is checked: bad ones by hand, good ones that look bad, and a naive
//! one beside it.

use simulator::linear::{Verdict, brute, random, search, text};
use simulator::world::random::{Random, Stream};

#[test]
fn bad_histories_are_refused() {
    let all = text::parse(include_str!("linear/bad.txt")).expect("the table can be read");
    assert!(all.len() >= 30);
    for named in all {
        let verdict = search::check(&named.history, search::STEPS_MAX);
        assert!(
            matches!(verdict, Verdict::Contradiction { .. }),
            "{}",
            named.name
        );
        assert!(!brute::is_linearizable(&named.history), "{}", named.name);
    }
}

#[test]
fn good_histories_are_explained() {
    let all = text::parse(include_str!("linear/good.txt")).expect("the table can be read");
    for named in all {
        let verdict = search::check(&named.history, search::STEPS_MAX);
        assert_eq!(verdict, Verdict::Linearizable, "{}", named.name);
        assert!(brute::is_linearizable(&named.history), "{}", named.name);
    }
}

#[test]
fn the_search_agrees_with_every_order_on_a_million_tiny_histories() {
    let random = &mut Random::new(1, Stream::Workload);
    let (mut history, mut explained) = (Vec::new(), 0);
    for number in 0..1_000_000 {
        random::tiny(random, &mut history);
        let expected = brute::is_linearizable(&history);
        let found = search::check(&history, search::STEPS_MAX) == Verdict::Linearizable;
        assert_eq!(found, expected, "history {number}: {history:?}");
        explained += u32::from(expected);
    }
    assert!((200_000..800_000).contains(&explained), "{explained}");
}

#[test]
fn a_search_without_steps_says_so() {
    let all = text::parse("one | x=1 0-1 | x:1 2-3").expect("it can be read");
    assert_eq!(search::check(&all[0].history, 1), Verdict::Undecided);
}

#[test]
fn long_histories_of_a_sound_register_take_little() {
    let random = &mut Random::new(2, Stream::Workload);
    let mut history = Vec::new();
    let (mut value, mut now) = (0, 0);
    for number in 1..=3_000 {
        now += random.below(3);
        let action = if random.chance(500) {
            value = number;
            simulator::linear::Action::Write(number)
        } else {
            simulator::linear::Action::Read(value)
        };
        history.push(simulator::linear::Operation {
            key: 0,
            action,
            call: now - random.below(10).min(now),
            end: Some(now + random.below(10)),
        });
        now += 1;
    }
    let verdict = search::check(&history, 50_000);
    assert_eq!(verdict, Verdict::Linearizable);
}
