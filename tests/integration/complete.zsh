# What each LINE becomes in an interactive shell when tab is pressed behind it, one a line:
#
#   zsh -f complete.zsh zsh|zsh-fpath|bash LINE...
#
# The shell has a terminal of its own and reads no file of its user; `zsh-fpath` has the script as a
# file of a folder of fpath, below $HOME.
zmodload zsh/zpty
show='show() { print -r -- "<<$BUFFER>>"; zle kill-buffer }; zle -N show; bindkey "^X^X" show'
case $1 in
  zsh)
    zpty shell 'TERM=dumb zsh -f -i'
    zpty -w shell "$show; source <(millrace completion zsh); print re''ady"
    ;;
  zsh-fpath)
    mkdir -p $HOME/functions
    millrace completion zsh >$HOME/functions/_millrace
    zpty shell 'TERM=dumb zsh -f -i'
    zpty -w shell "$show; fpath=(\$HOME/functions \$fpath); autoload -Uz compinit"
    zpty -w shell "compinit -i; print re''ady"
    ;;
  bash)
    zpty shell 'TERM=dumb bash --noprofile --norc -i'
    zpty -w shell 'show() { echo "<<$READLINE_LINE>>"; READLINE_LINE=; }'
    zpty -w shell "bind -x '\"\C-x\C-x\": show'; source <(millrace completion bash); echo re''ady"
    ;;
esac
shift
zpty -r shell said '*ready*'
for line in "$@"; do
  zpty -w -n shell "$line"$'\t\C-x\C-x'
  zpty -r shell said '*<<*>>*'
  print -r -- "${${said##*<<}%%>>*}"
done
