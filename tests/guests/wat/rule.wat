;; A validator written by hand: it reads nothing and rejects nothing. Tests put attacks in the place of the marks,
;; comments of one word in capitals.
(module
  (memory $memory (export "memory")
    1 ;; PAGES
  )
  (table $table 4 funcref)
  (global $free (mut i32) (i32.const 4096))

  (data (i32.const 64) "by-hand")
  (data (i32.const 80) "0.1.0")

  ;; MORE

  (func $deep (call $deep) (call $deep))

  ;; old pointer, old size, alignment, new size -> pointer
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    ;; REALLOC
    (global.set $free (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get 3))))

  ;; A description at 1024: name, version, kind 0 (validate), summary, schema.
  (func (export "sluice:rules/rule@0.1.0#describe") (result i32)
    (i32.store (i32.const 1024) (i32.const 64))
    (i32.store (i32.const 1028) (i32.const 7))
    (i32.store (i32.const 1032) (i32.const 80))
    (i32.store (i32.const 1036) (i32.const 5))
    ;; DESCRIBE
    (i32.const 1024))

  ;; An empty signature at 1536: all zeros.
  (func (export "sluice:rules/rule@0.1.0#open") (param i32 i32 i32 i32) (result i32)
    ;; OPEN
    (i32.const 1536))

  ;; No rejections at 2048: all zeros.
  (func (export "sluice:rules/validate@0.1.0#check") (param i32 i32 i32) (result i32)
    ;; CHECK
    (i32.const 2048))

  (func (export "cabi_post_sluice:rules/validate@0.1.0#check") (param i32)
    ;; AFTER_CHECK
  ))
