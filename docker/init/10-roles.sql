-- Runs once, when the data volume is new. Four roles, none of them a superuser:
--   ecom_owner   owns the tables; migrations run as it (service migrate)
--   ecom_ingest  reads and writes rows; driver and executors connect as it
--   ecom_reader  reads; for notebooks, dashboards, people
--   dagster      owns Dagster's own database and sees nothing of the events
-- Passwords come from files, so that no command line and no log shows them.
\set owner_password `cat /run/secrets/owner_password`
\set ingest_password `cat /run/secrets/ingest_password`
\set reader_password `cat /run/secrets/reader_password`
\set dagster_password `cat /run/secrets/dagster_password`

CREATE ROLE ecom_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE ecom_ingest LOGIN PASSWORD :'ingest_password';
CREATE ROLE ecom_reader LOGIN PASSWORD :'reader_password';
CREATE ROLE dagster LOGIN PASSWORD :'dagster_password';
ALTER ROLE ecom_reader SET default_transaction_read_only = on;

ALTER DATABASE ecommerce OWNER TO ecom_owner;
REVOKE ALL ON DATABASE ecommerce FROM PUBLIC;
-- TEMPORARY: a unit of work stages rows that may be known already.
GRANT CONNECT, TEMPORARY ON DATABASE ecommerce TO ecom_ingest;
GRANT CONNECT ON DATABASE ecommerce TO ecom_reader;
ALTER SCHEMA public OWNER TO ecom_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO ecom_ingest, ecom_reader;

-- Whatever later migrations make is for these roles as well.
ALTER DEFAULT PRIVILEGES FOR ROLE ecom_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ecom_ingest;
ALTER DEFAULT PRIVILEGES FOR ROLE ecom_owner IN SCHEMA public
    GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO ecom_ingest;
ALTER DEFAULT PRIVILEGES FOR ROLE ecom_owner IN SCHEMA public GRANT SELECT ON TABLES TO ecom_reader;

CREATE DATABASE dagster OWNER dagster;
REVOKE ALL ON DATABASE dagster FROM PUBLIC;
