-- Alarms in the terms of X.733: our own, source `hems`, and room for those of cells.
-- `object` is what it is about: an identity, an anchor, a reason, or nothing. `severity` is 1 critical, 2 major,
-- 3 minor, 4 warning. `since` is when the fact began, where that is known; one that stands has no `cleared_at`.
CREATE TABLE alarm (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    source         TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    object         TEXT   NOT NULL,
    event_type     TEXT   NOT NULL,
    probable_cause TEXT   NOT NULL,
    severity       BIGINT NOT NULL,
    detail         TEXT   NOT NULL,
    since          BIGINT,
    raised_at      BIGINT NOT NULL,
    changed_at     BIGINT NOT NULL,
    cleared_at     BIGINT,
    ack_by         TEXT,
    ack_at         BIGINT,
    ack_note       TEXT
);
CREATE UNIQUE INDEX alarm_standing ON alarm (source, kind, object) WHERE cleared_at IS NULL;
CREATE INDEX alarm_by_severity ON alarm (severity, id) WHERE cleared_at IS NULL;
CREATE INDEX alarm_cleared ON alarm (id) WHERE cleared_at IS NOT NULL;

-- What became of an alarm, and who did it.
CREATE TABLE alarm_step (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    alarm    BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    what     TEXT   NOT NULL,
    severity BIGINT NOT NULL,
    who      TEXT,
    note     TEXT
);
CREATE INDEX alarm_step_of_alarm ON alarm_step (alarm, id);

-- The questions of the alarms. The hour is a bound of the index: cells with a good clock cost nothing here.
CREATE INDEX device_with_far_clock ON device (identity) WHERE abs(cell_clock_at - cell_clock) > 3600000;
CREATE INDEX device_by_downgrade ON device (downgraded_at, identity) WHERE downgraded_at IS NOT NULL;
CREATE INDEX suspicion_by_begin ON suspicion (first_at, identity);
