# Makes ./agent with its model. With `locked`, `signed` or `allowed` it also does what comes before the session:
# a key `alice` that ../trust.yaml trusts, the lock, the signature, the channel statement.
set -e
cp -r "$FIXTURES/agent" agent
node "$FIXTURES/make-model.ts" agent/model/weights.safetensors
[ -z "$1" ] && exit 0
waybill lock --dir agent > /dev/null 2>&1
[ "$1" = locked ] && exit 0
waybill keys create alice > /dev/null 2>&1
waybill keys show alice --trust --principal alice > trust.yaml
waybill sign --dir agent --key alice > /dev/null 2>&1
[ "$1" = signed ] && exit 0
waybill channel allow --dir agent --key alice > /dev/null
