# Tests the rules for Prometheus and the dashboard for Grafana: Prometheus accepts them, the alerts
# fire when they should, and the library writes every figure that they name.
#
# Seen to fail: each alert, with another threshold; the names, with the name of a metric changed in
# either file; the expressions, with a bracket missing.

bats_require_minimum_version 1.5.0
load helper

setup() {
  RULES=$TG_SOURCE/scripts/packaging/tsfn-guard.rules.yml
  DASHBOARD=$TG_SOURCE/scripts/packaging/tsfn-guard.dashboard.json
  PROMTOOL=$TG_SOURCE/build/deps/promtool/promtool
  cd "$BATS_TEST_TMPDIR"
}

need_promtool() {
  [[ -x $PROMTOOL ]] || skip "no promtool here; scripts/deps.sh promtool fetches it"
}

@test "promtool takes the rules, and each alert fires when it should and not before" {
  need_promtool
  cp "$RULES" rules.yml
  cat >test.yml <<'END'
rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series:
      - {series: 'tsfn_guard_running{instance="a"}', values: '1x60 0x60'}
      - {series: 'tsfn_guard_events_by_severity_total{severity="fatal-avoided",instance="a"}', values: '0x10 1x110'}
      - {series: 'tsfn_guard_events_by_severity_total{severity="hang-avoided",instance="a"}', values: '0x30 2x90'}
      - {series: 'tsfn_guard_events_by_severity_total{severity="warn",instance="a"}', values: '0+1x120'}
      - {series: 'tsfn_guard_events_total{severity="warn",code="TSG026",addon="x.node",instance="a"}', values: '1x20'}
      - {series: 'tsfn_guard_handles{state="leaked",instance="a"}', values: '5000x180'}
      - {series: 'tsfn_guard_handles{state="leaked",instance="b"}', values: '900x180'}
      - {series: 'tsfn_guard_handles{state="open",instance="b"}', values: '5000x180'}
      - {series: 'tsfn_guard_queued_items{instance="a"}', values: '1x20 200000x20 0x60'}
      - {series: 'tsfn_guard_reports_not_logged_total{instance="a"}', values: '0x20 1x20'}
    alert_rule_test:
      - {eval_time: 9m, alertname: TsfnGuardAvoidedCrash}
      # The first crash avoided counts as a rise, because the series existed before, with the value
      # 0.
      - eval_time: 12m
        alertname: TsfnGuardAvoidedCrash
        exp_alerts:
          - exp_labels: {severity: warning, avoided: fatal-avoided, instance: a}
            exp_annotations:
              summary: 'on a an addon would have crashed or hung the process (fatal-avoided)'
              description: 'tsfn_guard_events_total and the log of the guard name the addon. docs/misuse says how to fix it.'
      - {eval_time: 119m, alertname: TsfnGuardAvoidedCrash}
      - eval_time: 10m
        alertname: TsfnGuardNotArmed
        exp_alerts:
          - exp_labels: {severity: warning, addon: x.node, instance: a}
            exp_annotations:
              summary: 'on a the guard was loaded but could not guard everything'
              description: 'The log of the guard says what was needed. tsfn-guard doctor says so too.'
      - {eval_time: 70m, alertname: TsfnGuardAbsent}
      - eval_time: 80m
        alertname: TsfnGuardAbsent
        exp_alerts:
          - exp_labels: {severity: warning}
            exp_annotations: {summary: 'no guarded process is running any more'}
      - {eval_time: 25m, alertname: TsfnGuardQueue}
      - eval_time: 35m
        alertname: TsfnGuardQueue
        exp_alerts:
          - exp_labels: {severity: warning, instance: a}
            exp_annotations: {summary: 'the event loop on a does not keep up with an addon'}
      - {eval_time: 50m, alertname: TsfnGuardLeak}
      - eval_time: 150m
        alertname: TsfnGuardLeak
        exp_alerts:
          - exp_labels: {severity: info, instance: a, state: leaked}
            exp_annotations: {summary: 'an addon on a does not release its thread-safe functions'}
      - {eval_time: 20m, alertname: TsfnGuardLogLost}
      - eval_time: 25m
        alertname: TsfnGuardLogLost
        exp_alerts:
          - exp_labels: {severity: info, instance: a}
            exp_annotations: {summary: 'the log of the guard on a takes no more reports'}
END
  run "$PROMTOOL" check rules rules.yml
  assert_success
  run "$PROMTOOL" test rules test.yml
  assert_success
  # Each alert is tested.
  for alert in $(sed -n 's/^ *- alert: //p' rules.yml); do
    assert grep -q "alertname: $alert\$" test.yml
  done
}

@test "Prometheus understands every expression of the dashboard" {
  need_promtool
  command -v jq >/dev/null || skip "no jq here"
  jq '{groups: [{name: "dashboard", rules: [.panels[].targets[].expr |
    {record: "x", expr: (gsub("[$]__range|[$]__rate_interval"; "5m") | gsub("[$]instance"; ".*"))}]}]}' "$DASHBOARD" >exprs.yml
  assert [ "$(jq '.groups[0].rules | length' exprs.yml)" -gt 10 ]
  run "$PROMTOOL" check rules --lint=none exprs.yml
  assert_success
  # Each panel has a place of its own.
  run jq -e '[.panels[].id] | length == (unique | length)' "$DASHBOARD"
  assert_success
}

# The library writes tsfn_guard_quirk_total only for an addon that has quirks:
# bats/runtime/quirks.bats sees it.
@test "the library writes every figure that the rules, the dashboard and the docs name" {
  TG_NODE=$("$TG_SOURCE/test/runtimes.sh" | sed -n '1s/.*\t//p')
  [[ -n $TG_NODE ]] || skip "no runtime was fetched"
  export TG_NODE METRICS=$BATS_TEST_TMPDIR/guard.prom
  TSFN_GUARD_OPTIONS=summary=never:log_path=/dev/null:publish=1:metrics_path=$METRICS guarded metrics.js known exit
  { sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$METRICS"; echo tsfn_guard_quirk_total; } | sort >written
  assert grep -q '^tsfn_guard_calls_total$' written
  for file in "$RULES" "$DASHBOARD" "$TG_SOURCE"/docs/{operations,diagnostics,quirks,options}.md; do
    grep -o '\btsfn_guard_[a-z_]*[a-z]' "$file" | grep -vx 'tsfn_guard_ring' | sort -u >named
    run comm -13 written named
    assert_equal "$file:$output" "$file:"
  done
  # The docs must also explain every figure that the library writes.
  for name in $(<written); do assert grep -q "$name" "$TG_SOURCE/docs/diagnostics.md"; done
}
