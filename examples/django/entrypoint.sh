#!/bin/sh
# Only the worker writes results, so only it has to have the tables.
set -eu
case " $* " in
  *" worker "*) python manage.py migrate --no-input ;;
esac
exec "$@"
