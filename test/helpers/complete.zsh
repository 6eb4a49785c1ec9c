# What zsh offers for a command line: zsh -f complete.zsh DIRECTORY LINE. DIRECTORY has the
# completion as _tsfn-guard. The line is typed into an interactive zsh, then Tab. Prints each match
# that is given to compadd.
zmodload zsh/zpty
directory=$1 line=$2
work=$(mktemp -d)
cat >$work/init <<END
PROMPT= fpath=($directory \$fpath)
autoload -U compinit && compinit -u -D
bindkey '^I' complete-word
setopt no_beep
LISTMAX=100000
compadd() {
  local -a hits
  if [[ \${argv[1,(i)(-|--)]} == *-(O|A|D)* ]]; then builtin compadd "\$@"; return; fi
  builtin compadd -A hits "\$@"
  print -rl -- \$hits >>$work/offered
  builtin compadd "\$@"
}
zle-line-init() { print >$work/ready }
zle -N zle-line-init
END

# await FILE: meanwhile reads what the shell prints, so that it never waits for a reader.
await() {
  local unused i
  for ((i = 0; i < 400; i++)); do
    while zpty -r -t shell unused; do :; done
    [[ ! -e $1 ]] || return 0
    sleep 0.05
  done
  print -u2 "zsh did not get to $1:t"
}

zpty shell "zsh -f -i"
zpty -w shell "source $work/init"
await $work/ready
zpty -w -n shell "$line"$'\t'
# What is typed after it is read once Tab has been done. ^U clears the line.
zpty -w shell $'\C-u'"print >$work/ended"
await $work/ended
zpty -d shell
[[ ! -e $work/offered ]] || sort -u $work/offered | grep .
rm -rf $work
