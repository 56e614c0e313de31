//! A new migration is compiled in by `sqlx::migrate!`, which sees changed files but no new ones.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
