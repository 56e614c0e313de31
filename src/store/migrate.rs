//! The schema: bringing a database to it, and telling how far a database is.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::{Store, StoreError};
use crate::limits::MIGRATE_DEADLINE_SECONDS;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// How a database's schema stands to this program's.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "schema", rename_all = "snake_case")]
pub enum Schema {
    /// As this program needs it.
    Current {
        /// Its newest migration.
        version: i64,
    },
    /// Nothing there yet.
    NotMigrated,
    /// Migrations are missing.
    Behind {
        /// The database's newest migration.
        at: i64,
        /// Those that are missing.
        pending: Vec<i64>,
    },
    /// A newer program migrated it.
    Newer {
        /// The database's newest migration.
        at: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A migration was applied in another form, or broke off.
    Different {
        /// Which.
        version: i64,
    },
}

impl Schema {
    /// May this program work on it?
    pub fn is_current(&self) -> bool {
        matches!(self, Self::Current { .. })
    }
}

impl std::fmt::Display for Schema {
    /// What is so, and how to mend it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Current { version } => write!(f, "the database's schema is current (migration {version})"),
            Self::NotMigrated => f.write_str("the database has no schema yet; run `scrutineer migrate`"),
            Self::Behind { at, pending } => write!(
                f,
                "the database's schema is behind this program ({at}, {} missing); run `scrutineer migrate`",
                pending.len()
            ),
            Self::Newer { at, known } => write!(
                f,
                "the database's schema ({at}) is newer than this program knows ({known}); install the newer program on this host"
            ),
            Self::Different { version } => write!(
                f,
                "migration {version} of the database is not this program's, or it broke off; restore the database from a backup, or start with an empty one"
            ),
        }
    }
}

/// Why a migration failed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateFailure {
    /// The database can't be used as it is.
    #[error("{0}")]
    Schema(Schema),
    /// A migration was refused; it left nothing behind.
    #[error("migration {version} was refused and undone: {reason}{hint}")]
    Refused {
        /// Which.
        version: i64,
        /// What PostgreSQL said.
        reason: String,
        /// How to mend it, where that is known.
        hint: &'static str,
    },
    /// Something else of sqlx's.
    #[error("migration failed: {0}")]
    Other(String),
    /// The database is away, or refused something.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far the database is.
pub async fn check_schema(store: &Store) -> Result<Schema, StoreError> {
    store.with_conn(store.deadline(), read_schema).await
}

async fn read_schema(conn: &mut PgConnection) -> Result<Schema, StoreError> {
    let exists = sqlx::query_scalar!(r#"SELECT to_regclass('public._sqlx_migrations') IS NOT NULL AS "exists!""#)
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        return Ok(Schema::NotMigrated);
    }
    let applied = sqlx::query!("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut *conn)
        .await?;
    let Some(at) = applied.last().map(|row| row.version) else { return Ok(Schema::NotMigrated) };
    let known = MIGRATOR.iter().map(|m| m.version).max().unwrap_or(0);
    if at > known {
        return Ok(Schema::Newer { at, known });
    }
    for row in &applied {
        let ours = MIGRATOR.iter().find(|m| m.version == row.version);
        if !row.success || ours.is_none_or(|m| m.checksum.as_ref() != row.checksum.as_slice()) {
            return Ok(Schema::Different { version: row.version });
        }
    }
    let pending: Vec<i64> =
        MIGRATOR.iter().map(|m| m.version).filter(|v| !applied.iter().any(|row| row.version == *v)).collect();
    Ok(if pending.is_empty() { Schema::Current { version: at } } else { Schema::Behind { at, pending } })
}

/// Applies what is missing, each migration in a transaction; a second one at the same time waits.
/// Gives number and name of those applied now.
pub async fn migrate(store: &Store) -> Result<Vec<(i64, String)>, MigrateFailure> {
    let result = store
        .with_conn(Duration::from_secs(MIGRATE_DEADLINE_SECONDS), async |conn: &mut PgConnection| {
            let before = read_schema(conn).await?;
            if let Schema::Newer { .. } | Schema::Different { .. } = before {
                return Ok(Err(MigrateFailure::Schema(before)));
            }
            let had: i64 = match before {
                Schema::Current { version } => version,
                Schema::Behind { at, .. } => at,
                _ => 0,
            };
            Ok(match MIGRATOR.run(&mut *conn).await {
                Ok(()) => Ok(MIGRATOR
                    .iter()
                    .filter(|m| m.version > had)
                    .map(|m| (m.version, m.description.to_string()))
                    .collect()),
                Err(error) => Err(explain(error)),
            })
        })
        .await;
    result?
}

fn explain(error: MigrateError) -> MigrateFailure {
    let refused = |version: i64, error: &sqlx::Error| MigrateFailure::Refused {
        version,
        reason: error.to_string(),
        hint: match error.as_database_error().and_then(|e| e.code()).as_deref() {
            Some("42501") if version == 1 => {
                "; let a superuser run: ALTER ROLE <owner> CREATEROLE (or: CREATE ROLE scrutineer_worker; CREATE ROLE scrutineer_web)"
            }
            Some("42501") => "; the owner's login must own the database (ALTER DATABASE <name> OWNER TO <owner>)",
            _ => "",
        },
    };
    match &error {
        MigrateError::ExecuteMigration(inner, version) => refused(*version, inner),
        MigrateError::Execute(sqlx::Error::Database(inner)) if inner.code().as_deref() == Some("42501") => {
            MigrateFailure::Other(format!(
                "{inner}; the owner's login must own the database (ALTER DATABASE <name> OWNER TO <owner>)"
            ))
        }
        _ => MigrateFailure::Other(error.to_string()),
    }
}

/// A login that shall belong to a group role.
#[derive(Debug, Clone)]
pub struct LoginWanted<'a> {
    /// The login role.
    pub user: &'a str,
    /// Password for a login that is made.
    pub password: &'a str,
    /// `scrutineer_worker` or `scrutineer_web`.
    pub group: &'a str,
}

/// What was done about a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginDone {
    /// Made, and put into its group.
    Created,
    /// Put into its group.
    Granted,
    /// Was in its group already.
    AlreadyIn,
    /// There is no such role, and making it was not asked for.
    Missing,
}

/// Puts logins into their groups; makes those that are missing when `create`.
pub async fn grant_logins(
    store: &Store,
    wanted: &[LoginWanted<'_>],
    create: bool,
) -> Result<Vec<LoginDone>, StoreError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            let mut done = Vec::new();
            for login in wanted {
                let exists = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS "exists!""#,
                    login.user
                )
                .fetch_one(&mut *conn)
                .await?;
                if !exists && !create {
                    done.push(LoginDone::Missing);
                    continue;
                }
                if !exists {
                    // PostgreSQL quotes name and password for us.
                    let make = sqlx::query_scalar!(
                        r#"SELECT CASE WHEN $2 = '' THEN format('CREATE ROLE %I LOGIN', $1::text)
                                  ELSE format('CREATE ROLE %I LOGIN PASSWORD %L', $1::text, $2::text) END AS "sql!""#,
                        login.user,
                        login.password
                    )
                    .fetch_one(&mut *conn)
                    .await?;
                    conn.execute(AssertSqlSafe(make)).await?;
                }
                let is_in = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                           JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = $1 AND g.rolname = $2) AS "is_in!""#,
                    login.user,
                    login.group
                )
                .fetch_one(&mut *conn)
                .await?;
                if !is_in {
                    let grant = sqlx::query_scalar!(
                        r#"SELECT format('GRANT %I TO %I', $1::text, $2::text) AS "sql!""#,
                        login.group,
                        login.user
                    )
                    .fetch_one(&mut *conn)
                    .await?;
                    conn.execute(AssertSqlSafe(grant)).await?;
                }
                done.push(match (exists, is_in) {
                    (false, _) => LoginDone::Created,
                    (true, false) => LoginDone::Granted,
                    (true, true) => LoginDone::AlreadyIn,
                });
            }
            Ok(done)
        })
        .await
}
