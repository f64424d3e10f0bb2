# Says that it started, where the tests can see it.
echo "the agent runs as $WAYBILL_RELEASE, log level $LOG_LEVEL"
[ -z "$MARK" ] || echo started > "$MARK"
exit "${STATUS:-0}"
