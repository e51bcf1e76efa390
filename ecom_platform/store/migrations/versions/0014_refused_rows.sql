-- What PostgreSQL said of a row that it refused: SQLSTATE and the name of the constraint, never data.
ALTER TABLE rejected_events ADD COLUMN message text;
