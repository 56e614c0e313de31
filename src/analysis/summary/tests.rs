//! Summaries against what can be counted by hand.

use super::*;
use proptest::prelude::*;

fn question(json: &str) -> Question {
    serde_json::from_str(json).unwrap()
}

fn count() -> Question {
    question(r#"{"code":"AB","text":"?","type":"count","max":100000,"null_value":999}"#)
}

fn summed(question: &Question, values: &[(Value, i64)]) -> Summary {
    let mut fold = Fold::new(question);
    values.iter().for_each(|(v, n)| fold.add(v, *n));
    fold.end()
}

#[test]
fn quartiles_are_values_that_were_reported_and_what_is_not_available_stays_apart() {
    let values: Vec<_> =
        (1..=9).map(|n| (Value::Number(n * 10), 1)).chain([(Value::NotAvailable { na: 999 }, 4)]).collect();
    let sum = summed(&count(), &values);
    assert_eq!((sum.answered, sum.not_available), (9, 4));
    let Spread::Numbers(Some(n)) = sum.spread else { panic!("{sum:?}") };
    assert_eq!((n.min, n.low, n.median, n.high, n.max, n.sum), (10.0, 30.0, 50.0, 70.0, 90.0, 450.0));
    assert_eq!((n.bars.from, n.bars.width, n.bars.counts.iter().sum::<i64>()), (10.0, 5.0, 9));
}

#[test]
fn times_stand_in_bands_of_whole_quarters_of_an_hour() {
    let q = question(r#"{"code":"AA","text":"?","type":"time"}"#);
    let times = ["06:00", "06:14", "06:15", "07:05"].map(|t| (Value::Text(t.to_owned()), 2));
    let sum = summed(&q, &times);
    assert_eq!(sum.spread, Spread::Times(Bars { from: 360.0, width: 15.0, counts: vec![4, 2, 0, 0, 2] }));
}

#[test]
fn each_option_of_several_counts_once_a_report_and_one_nobody_chose_stands_there_too() {
    let q = question(r#"{"code":"BB","text":"?","type":"multi_choice","options":{"1":"a","2":"b","3":"c"}}"#);
    let sum = summed(&q, &[(Value::Options(vec![1, 3]), 5), (Value::Options(vec![3]), 2)]);
    assert_eq!((sum.answered, sum.spread), (7, Spread::Options(vec![(1, 5), (2, 0), (3, 7)])));
}

#[test]
fn yes_and_no_are_counted_and_an_exact_decimal_is_a_number() {
    let q = question(r#"{"code":"BA","text":"?","type":"yes_no"}"#);
    let sum = summed(&q, &[(Value::Bool(true), 6), (Value::Bool(false), 3)]);
    assert_eq!((sum.answered, sum.spread), (9, Spread::YesNo { yes: 6 }));
    let q = question(r#"{"code":"BA","text":"?","type":"decimal","max":"10"}"#);
    let sum = summed(&q, &[(Value::Text("9.5".to_owned()), 1), (Value::Text("10".to_owned()), 1)]);
    let Spread::Numbers(Some(n)) = sum.spread else { panic!("{sum:?}") };
    assert_eq!((n.min, n.max), (9.5, 10.0));
}

#[test]
fn more_days_than_the_bound_are_counted_together_after_the_others() {
    let q = question(r#"{"code":"DA","text":"?","type":"date"}"#);
    let days: Vec<_> = (0..SUMMARY_BARS_MAX * 2 + 7).map(|i| (Value::Text(format!("2026-{i:04}")), 1)).collect();
    let Spread::Dates(found) = summed(&q, &days).spread else { panic!("dates") };
    assert_eq!(found.len(), SUMMARY_BARS_MAX * 2 + 1);
    assert_eq!(found.last(), Some(&(None, 7)));
}

proptest! {
    #[test]
    fn bands_hold_every_value_and_are_no_more_than_the_bound(
        mut values in proptest::collection::vec((-50_000i64..2_000_000, 1i64..5), 1..200),
    ) {
        let sum = summed(&count(), &values.iter().map(|(v, n)| (Value::Number(*v), *n)).collect::<Vec<_>>());
        let Spread::Numbers(Some(n)) = sum.spread else { panic!("numbers") };
        prop_assert_eq!(n.bars.counts.iter().sum::<i64>(), sum.answered);
        prop_assert!(n.bars.counts.len() <= SUMMARY_BARS_MAX);
        values.sort_unstable();
        let flat: Vec<i64> = values.iter().flat_map(|(v, n)| std::iter::repeat_n(*v, *n as usize)).collect();
        let at = |quarters: usize| flat[(flat.len() * quarters).div_ceil(4).max(1) - 1] as f64;
        prop_assert_eq!((n.low, n.median, n.high), (at(1), at(2), at(3)));
    }

    #[test]
    fn however_many_values_there_are_memory_is_bounded_and_no_report_is_lost(extra in 1usize..5_000) {
        let q = count();
        let mut fold = Fold::new(&q);
        for i in 0..SUMMARY_VALUES_MAX + extra {
            fold.add(&Value::Number(i as i64), 1);
            prop_assert!(fold.values.len() <= SUMMARY_VALUES_MAX);
        }
        let sum = fold.end();
        let Spread::Numbers(Some(n)) = sum.spread else { panic!("numbers") };
        prop_assert_eq!(n.bars.counts.iter().sum::<i64>() as usize, SUMMARY_VALUES_MAX + extra);
        let middle = (SUMMARY_VALUES_MAX + extra) as f64 / 2.0;
        prop_assert!((n.median - middle).abs() <= middle * 0.01, "{} {}", n.median, middle);
    }
}
