"""The tables of Galaxy 26.1 that a companion reads, as SQLite has them there.

Columns are complete, with Galaxy's names and types; foreign keys to tables that are not here
are left out.
"""

USERS = ("alice", "bob", "admin")
"""Public names of the demo's users."""

SCHEMA = """
CREATE TABLE galaxy_user (
    id INTEGER NOT NULL PRIMARY KEY, create_time DATETIME, update_time DATETIME,
    email VARCHAR(255) NOT NULL, username VARCHAR(255), password VARCHAR(255) NOT NULL,
    last_password_change DATETIME, external BOOLEAN, form_values_id INTEGER,
    preferred_object_store_id VARCHAR(255), deleted BOOLEAN, purged BOOLEAN,
    disk_usage NUMERIC(15, 0), active BOOLEAN NOT NULL, activation_token VARCHAR(64)
);
CREATE UNIQUE INDEX ix_galaxy_user_email ON galaxy_user (email);
CREATE UNIQUE INDEX ix_galaxy_user_username ON galaxy_user (username);

CREATE TABLE galaxy_session (
    id INTEGER NOT NULL PRIMARY KEY, create_time DATETIME, update_time DATETIME,
    user_id INTEGER REFERENCES galaxy_user (id), remote_host VARCHAR(255),
    remote_addr VARCHAR(255), referer TEXT, current_history_id INTEGER,
    session_key VARCHAR(255), is_valid BOOLEAN, prev_session_id INTEGER,
    disk_usage NUMERIC(15, 0), last_action DATETIME
);
CREATE UNIQUE INDEX ix_galaxy_session_session_key ON galaxy_session (session_key);
CREATE INDEX ix_galaxy_session_user_id ON galaxy_session (user_id);

CREATE TABLE user_preference (
    id INTEGER NOT NULL PRIMARY KEY, user_id INTEGER REFERENCES galaxy_user (id),
    name VARCHAR(255), value TEXT
);
CREATE INDEX ix_user_preference_user_id ON user_preference (user_id);

CREATE TABLE job (
    id INTEGER NOT NULL PRIMARY KEY, create_time DATETIME, update_time DATETIME,
    history_id INTEGER, library_folder_id INTEGER, tool_id VARCHAR(255), tool_version TEXT,
    galaxy_version VARCHAR(64), dynamic_tool_id INTEGER, state VARCHAR(64), info VARCHAR(255),
    copied_from_job_id INTEGER, command_line TEXT, dependencies BLOB, job_messages BLOB,
    param_filename VARCHAR(1024), runner_name VARCHAR(255), job_stdout TEXT, job_stderr TEXT,
    tool_stdout TEXT, tool_stderr TEXT, exit_code INTEGER, traceback TEXT,
    session_id INTEGER REFERENCES galaxy_session (id) ON DELETE SET NULL,
    user_id INTEGER REFERENCES galaxy_user (id), job_runner_name VARCHAR(255),
    job_runner_external_id VARCHAR(255), destination_id VARCHAR(255), destination_params BLOB,
    object_store_id VARCHAR(255), imported BOOLEAN, handler VARCHAR(255),
    preferred_object_store_id VARCHAR(255), object_store_id_overrides BLOB,
    tool_request_id INTEGER, tool_state JSON
);
CREATE INDEX ix_job_user_id ON job (user_id);
CREATE INDEX ix_job_session_id ON job (session_id);
CREATE INDEX ix_job_state ON job (state);

CREATE TABLE interactivetool_entry_point (
    id INTEGER NOT NULL PRIMARY KEY, job_id INTEGER REFERENCES job (id), name TEXT,
    token TEXT NOT NULL, tool_port INTEGER, host TEXT, port INTEGER, protocol TEXT,
    entry_url TEXT, requires_domain BOOLEAN, requires_path_in_url BOOLEAN,
    requires_path_in_header_named TEXT, info BLOB, configured BOOLEAN, deleted BOOLEAN,
    created_time DATETIME, modified_time DATETIME, label TEXT
);
CREATE INDEX ix_interactivetool_entry_point_job_id ON interactivetool_entry_point (job_id);
"""
